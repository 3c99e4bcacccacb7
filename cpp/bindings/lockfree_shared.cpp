#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>

#include "lockfree/messages/shared.hpp"
#include "lockfree/messages/type.hpp"
#include "topics.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace dwcp::bindings {

namespace {

namespace shared = dwcp::lockfree::shared;
namespace messages = lockfree::messages;

using SharedRing = messages::Shared<shared::ByteRing>;
using SharedQueue = messages::Shared<shared::MpmcQueue>;

// How a structure is found or made: by name or descriptor, or with these sizes.
struct Origin {
    std::optional<std::string> name;
    std::optional<int> fd;
    std::optional<std::uint64_t> capacity;
    std::optional<std::uint64_t> slot_bytes;
};

// False with an exception set.
bool to_size(PyObject* object, const char* name, std::optional<std::uint64_t>& size) {
    if (object == nullptr || object == Py_None) return true;
    std::size_t count = 0;
    if (!lockfree::to_count(object, name, 1, count)) return false;
    size = count;
    return true;
}

// The arguments (name, capacity=None, slot_bytes=None, fd=None), the third of queues only. False
// with an exception set.
bool parse(PyObject* positional, PyObject* named, bool with_slots, Origin& origin) {
    static const char* const ring_names[] = {"name", "capacity", "fd", nullptr};
    static const char* const queue_names[] = {"name", "capacity", "slot_bytes", "fd", nullptr};
    PyObject* name = nullptr;
    PyObject* capacity = nullptr;
    PyObject* slot_bytes = nullptr;
    PyObject* fd = nullptr;
    const int parsed = with_slots ? PyArg_ParseTupleAndKeywords(positional, named, "O|OOO",
                                                                const_cast<char**>(queue_names),
                                                                &name, &capacity, &slot_bytes, &fd)
                                  : PyArg_ParseTupleAndKeywords(positional, named, "O|OO",
                                                                const_cast<char**>(ring_names),
                                                                &name, &capacity, &fd);
    if (parsed == 0 || !to_size(capacity, "capacity", origin.capacity) ||
        !to_size(slot_bytes, "slot_bytes", origin.slot_bytes)) {
        return false;
    }
    if (name != Py_None) {
        Py_ssize_t length = 0;
        const char* const text = PyUnicode_AsUTF8AndSize(name, &length);
        if (text == nullptr) return false;
        origin.name.emplace(text, static_cast<std::size_t>(length));
    }
    if (fd != nullptr && fd != Py_None) {
        const long number = PyLong_AsLong(fd);
        if (number == -1 && PyErr_Occurred() != nullptr) return false;
        origin.fd = static_cast<int>(number);
    }
    if (with_slots && origin.capacity.has_value() != origin.slot_bytes.has_value()) {
        PyErr_SetString(PyExc_TypeError, "capacity and slot_bytes are given both or not at all");
        return false;
    }
    return true;
}

template <typename Structure>
Structure attach(const Origin& origin) {
    return origin.fd ? Structure::attach(*origin.fd) : Structure::attach(origin.name.value_or(""));
}

SharedRing* make_ring(PyObject* positional, PyObject* named) {
    Origin origin;
    if (!parse(positional, named, false, origin)) return nullptr;
    return new SharedRing(origin.capacity ? shared::ByteRing::create(origin.name, *origin.capacity)
                                          : attach<shared::ByteRing>(origin));
}

SharedQueue* make_queue(PyObject* positional, PyObject* named) {
    Origin origin;
    if (!parse(positional, named, true, origin)) return nullptr;
    return new SharedQueue(origin.capacity ? shared::MpmcQueue::create(
                                                 origin.name, *origin.capacity, *origin.slot_bytes)
                                           : attach<shared::MpmcQueue>(origin));
}

template <typename Adapter>
PyObject* capacity(PyObject* object, void*) noexcept {
    return messages::Type<Adapter>::with(
        object, [](Adapter& adapter) { return PyLong_FromUnsignedLongLong(adapter->capacity()); });
}
PyObject* slot_bytes(PyObject* object, void*) noexcept {
    return messages::Type<SharedQueue>::with(object, [](SharedQueue& queue) {
        return PyLong_FromUnsignedLongLong(queue->slot_bytes());
    });
}
PyObject* used_bytes(PyObject* object, PyObject*) noexcept {
    return messages::Type<SharedRing>::with(
        object, [](SharedRing& ring) { return PyLong_FromUnsignedLongLong(ring->used_bytes()); });
}
template <typename Adapter>
PyObject* fileno(PyObject* object, PyObject*) noexcept {
    return messages::Type<Adapter>::with(
        object, [](Adapter& adapter) { return PyLong_FromLong(adapter->fd()); });
}

constexpr const char* kFileno =
    "fileno($self, /)\n--\n\nDescriptor of the memory; it stays the object's.";

void define_types(nb::module_& module) {
    module.attr("ByteRing") = messages::Type<SharedRing>::define({
        .name = "dwcp._core.lockfree_shared.ByteRing",
        .documentation = "ByteRing(name, capacity=None, fd=None)\n--\n\n"
                         "A ring of messages in shared memory; use dwcp.lockfree.shared.ByteRing.",
        .make = make_ring,
        .properties = {{"capacity", capacity<SharedRing>, nullptr, "Longest message in bytes.",
                        nullptr}},
        .methods = {{"used_bytes", used_bytes, METH_NOARGS,
                     "used_bytes($self, /)\n--\n\n"
                     "Bytes in use: of each message its own, rounded up to 8, and 8 more."},
                    {"fileno", fileno<SharedRing>, METH_NOARGS, kFileno}},
        .writing_name = "dwcp._core.lockfree_shared.RingWriting",
        .reading_name = "dwcp._core.lockfree_shared.RingReading",
    });
    module.attr("MpmcQueue") = messages::Type<SharedQueue>::define({
        .name = "dwcp._core.lockfree_shared.MpmcQueue",
        .documentation = "MpmcQueue(name, capacity=None, slot_bytes=None, fd=None)\n--\n\n"
                         "A queue of messages in shared memory; use "
                         "dwcp.lockfree.shared.MpmcQueue.",
        .make = make_queue,
        .properties = {{"capacity", capacity<SharedQueue>, nullptr, "Number of messages.", nullptr},
                       {"slot_bytes", slot_bytes, nullptr, "Longest message in bytes.", nullptr}},
        .methods = {{"fileno", fileno<SharedQueue>, METH_NOARGS, kFileno}},
        .writing_name = "dwcp._core.lockfree_shared.QueueWriting",
        .reading_name = "dwcp._core.lockfree_shared.QueueReading",
    });
}

}  // namespace

void init_lockfree_shared(nb::module_& module) {
    define_types(module);
    module.def(
        "segments",
        [] {
            nb::list found;
            for (const shared::SegmentInfo& segment : shared::segments()) {
                found.append(
                    nb::make_tuple(segment.name, segment.kind, segment.capacity, segment.in_use));
            }
            return found;
        },
        nb::sig("def segments() -> list[tuple[str, str, int, bool]]"),
        "The caller's structures that have a name: name, kind, capacity, and whether a process "
        "that\nlives uses it.");
    module.def("remove_stale", shared::remove_stale,
               "Remove the names of the caller's structures that no living process uses; returns "
               "them.");
    module.def("unlink", shared::unlink, "name"_a,
               "Remove a name; False when there is none. Those who have what it names keep it.");
}

}  // namespace dwcp::bindings
