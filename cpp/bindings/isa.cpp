#include "dwcp/isa/isa.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

void init_isa(nb::module_& module) {
    module.def("built", &isa::built);
    module.def("available", &isa::available);
    module.def("active", &isa::active);
    module.def("compiled_for", &isa::compiled_for);
    module.def("force", &isa::force, nb::arg("name"));
    module.def("count_calls", &isa::count_calls, nb::arg("on"));
    module.def("counted_calls", &isa::counted_calls, nb::arg("name"));
}

}  // namespace dwcp::bindings
