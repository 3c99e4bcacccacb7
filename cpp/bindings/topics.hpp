// One init function for each topic; module.cpp only calls them.
#pragma once

#include <nanobind/nanobind.h>

namespace dwcp::bindings {

void init_errors(nanobind::module_& module);
void init_isa(nanobind::module_& module);
void init_checksum(nanobind::module_& module);
void init_checksum_object(nanobind::module_& module);
void init_chunks(nanobind::module_& module);
void init_xor(nanobind::module_& module);
void init_delta(nanobind::module_& module);
void init_dirty_tracker(nanobind::module_& module);
void init_encoder(nanobind::module_& module);
void init_machine(nanobind::module_& module);
void init_numpy_allocator(nanobind::module_& module);
void init_placed_memory(nanobind::module_& module);
void init_cache(nanobind::module_& module);
void init_topology(nanobind::module_& module);
void init_memory(nanobind::module_& module);
void init_lockfree(nanobind::module_& module);
void init_lockfree_byte_ring(nanobind::module_& module);
void init_lockfree_shared(nanobind::module_& module);

}  // namespace dwcp::bindings
