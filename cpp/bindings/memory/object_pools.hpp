// Pools of one size as Python objects.
#pragma once

#include <nanobind/nanobind.h>

namespace dwcp::bindings::memory {

void make_object_pool_types(nanobind::module_& module);

}  // namespace dwcp::bindings::memory
