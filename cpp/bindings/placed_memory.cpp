#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <vector>

#include "buffer.hpp"
#include "dwcp/os/placed_memory.hpp"
#include "placing.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

using os::PlacedMemory;

int get_memory(PyObject* object, Py_buffer* view, int flags) noexcept {
    if (!nb::inst_ready(object)) {  // made by __new__ alone
        view->obj = nullptr;
        PyErr_SetString(PyExc_BufferError, "there is no memory: use allocate()");
        return -1;
    }
    const auto* const memory = nb::inst_ptr<PlacedMemory>(object);
    return PyBuffer_FillInfo(view, object, memory->data(), static_cast<Py_ssize_t>(memory->size()),
                             0, flags);
}

PyType_Slot slots[] = {
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_memory)},
    {0, nullptr},
};

const char* kind_name(const PlacedMemory& memory) {
    return name_of(memory.kind());
}

std::unique_ptr<PlacedMemory> allocate(std::size_t size, bool huge, const std::string& placing,
                                       const std::vector<int>& nodes, bool lock) {
    const os::PlacedMemoryOptions options{huge, to_placing(placing), nodes, lock};
    const nb::gil_scoped_release release;
    return std::make_unique<PlacedMemory>(size, options);
}

nb::dict nodes_of(nb::handle object) {
    const Buffer buffer(object, "buffer");
    nb::dict counts;
    for (const auto& [node, pages] : os::nodes_of(buffer.bytes())) {
        counts[nb::int_(node)] = pages;
    }
    return counts;
}

std::size_t move(nb::handle object, int node) {
    const Buffer buffer(object, "buffer");
    const nb::gil_scoped_release release;
    return os::move_to_node(buffer.bytes(), node);
}

}  // namespace

void init_placed_memory(nb::module_& module) {
    nb::class_<PlacedMemory>(
        module, "PlacedMemory", nb::type_slots(slots),
        "Pages of memory straight from the kernel: a writable buffer of bytes.\n\n"
        "Zeros at first. memoryview, numpy.asarray and whatever else takes a buffer use the "
        "memory\n"
        "itself; it goes with the object and the last of its views.")
        .def("__len__", &PlacedMemory::size, "Length in bytes: whole pages, or whole huge pages.")
        .def_prop_ro(
            "kind", &kind_name,
            nb::for_getter(nb::sig("def kind(self) -> "
                                   "typing.Literal['plain', 'transparent', 'hugetlb']")),
            "Which pages the kernel has given: plain ones, huge ones that it made of them\n"
            "(transparent), or huge ones that were reserved (hugetlb).")
        .def_prop_ro("reason", &PlacedMemory::reason,
                     "Why it is not what was wished for; empty when it is.")
        .def_prop_ro("huge_bytes", &PlacedMemory::huge_bytes,
                     "How much of it lies in huge pages just now, in bytes (/proc/self/smaps).");
    module.def("allocate", &allocate, nb::arg("size"), nb::arg("huge"), nb::arg("placing"),
               nb::arg("nodes"), nb::arg("lock"), "What huge_pages.allocate and numa.allocate do.");
    module.def("memory_nodes", &os::memory_nodes,
               "Numbers of the memory nodes that this process may use; [0] where the kernel knows\n"
               "none.");
    module.def(
        "nodes_of", &nodes_of, nb::arg("buffer"),
        nb::sig("def nodes_of(buffer: dwcp.typing.BufferLike) -> dict[int, int]"),
        "On which nodes the pages of a buffer lie: how many on each; -1 counts those that\n"
        "are not there. Raises TypeError or BufferError unless it is a C-contiguous buffer,\n"
        "OSError where the kernel refuses. move_pages(2).");
    module.def("move", &move, nb::arg("buffer"), nb::arg("node"),
               nb::sig("def move(buffer: dwcp.typing.BufferLike, node: int) -> int"),
               "Move the pages of a buffer to a node, with whatever else lies in them.\n\n"
               "Returns how many pages are there afterwards. Raises ValueError for a node that is\n"
               "not there, and as nodes_of() does. The GIL is released. move_pages(2).");
}

}  // namespace dwcp::bindings
