#include "dwcp/isa/isa.hpp"
#include "topics.hpp"

namespace nb = nanobind;

NB_MODULE(_core, module) {
    using namespace dwcp::bindings;
    try {
        dwcp::isa::apply_environment();
    } catch (const std::invalid_argument& error) {
        throw nb::import_error(error.what());
    }
    // Objects that are alive when the interpreter ends are no mistake of the user's.
    nb::set_leak_warnings(false);
    module.doc() = "The compiled core of dwcp. Use the modules dwcp.<topic> instead.";
    init_errors(module);
    nb::module_ isa = module.def_submodule("isa");
    init_isa(isa);
    nb::module_ checksum = module.def_submodule("checksum");
    init_checksum(checksum);
    init_checksum_object(checksum);
    init_chunks(checksum);
    nb::module_ delta = module.def_submodule("delta");
    init_xor(delta);
    init_delta(delta);
    init_dirty_tracker(delta);
    init_encoder(delta);
    nb::module_ machine = module.def_submodule("machine");
    init_machine(machine);
    nb::module_ placed_memory = module.def_submodule("placed_memory");
    init_placed_memory(placed_memory);
    nb::module_ topology = module.def_submodule("topology");
    init_topology(topology);
    nb::module_ cache = module.def_submodule("cache");
    init_cache(cache);
    nb::module_ memory = module.def_submodule("memory");
    init_memory(memory);
    init_numpy_allocator(memory);
    nb::module_ lockfree = module.def_submodule("lockfree");
    init_lockfree(lockfree);
    init_lockfree_byte_ring(lockfree);
    nb::module_ shared = module.def_submodule("lockfree_shared");
    init_lockfree_shared(shared);
}
