#include "dwcp/os/machine.hpp"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>

#include "dwcp/delta/xor.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

void init_machine(nb::module_& module) {
    module.def(
        "info",
        [] {
            const os::Machine machine = os::machine();
            nb::dict result;
            result["io_uring"] = machine.io_uring;
            result["io_uring_reason"] = machine.io_uring_reason;
            result["numa_available"] = machine.numa_available;
            result["numa_nodes"] = machine.numa_nodes;
            result["last_level_cache_bytes"] = nb::none();
            if (machine.last_level_cache_bytes != 0) {
                result["last_level_cache_bytes"] = machine.last_level_cache_bytes;
            }
            result["xor_streaming_min_bytes"] = delta::xor_streaming_bytes_min();
            result["versions"] = machine.versions;
            return result;
        },
        nb::sig("def info() -> dict[str, typing.Any]"),
        "What the kernel and the machine offer, probed now.");
}

}  // namespace dwcp::bindings
