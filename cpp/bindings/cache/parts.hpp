// What the module of the cache is made of.
#pragma once

#include <nanobind/nanobind.h>

namespace dwcp::bindings::cache_parts {

void add_copies(nanobind::module_& module);
void define_stream(nanobind::module_& module);
void make_counter_types(nanobind::module_& module);

}  // namespace dwcp::bindings::cache_parts
