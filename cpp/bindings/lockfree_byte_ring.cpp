#include "lockfree/messages/thread_ring.hpp"
#include "lockfree/messages/type.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

namespace messages = lockfree::messages;
using messages::ThreadRing;
using Type = messages::Type<ThreadRing>;
using Self = messages::Channel<ThreadRing>;

ThreadRing* make(PyObject* positional, PyObject* named) {
    static const char* const names[] = {"capacity", nullptr};
    PyObject* argument = nullptr;
    std::size_t capacity = 0;
    if (PyArg_ParseTupleAndKeywords(positional, named, "O", const_cast<char**>(names), &argument) ==
            0 ||
        !lockfree::to_count(argument, "capacity", 1, capacity)) {
        return nullptr;
    }
    return new ThreadRing(capacity);
}

PyObject* capacity(PyObject* object, void*) noexcept {
    return Type::with(
        object, [](ThreadRing& ring) { return PyLong_FromUnsignedLongLong(ring.capacity()); });
}
PyObject* used_bytes(PyObject* object, PyObject*) noexcept {
    return Type::with(
        object, [](ThreadRing& ring) { return PyLong_FromUnsignedLongLong(ring.used_bytes()); });
}

// What an event loop that listens needs of the ring stays until the loop is through, even when the
// ring is closed meanwhile: it counts as a user.
PyObject* add_listener(PyObject* object, PyObject* arguments) noexcept {
    int fd = -1;
    int room = 0;
    if (PyArg_ParseTuple(arguments, "ip", &fd, &room) == 0) return nullptr;
    return Type::with(object, [&](ThreadRing& ring) {
        ring.waiters(room != 0).add_listener(fd);
        Self::of(object).users.add(1);
        Py_RETURN_NONE;
    });
}
PyObject* remove_listener(PyObject* object, PyObject* arguments) noexcept {
    int fd = -1;
    int room = 0;
    if (PyArg_ParseTuple(arguments, "ip", &fd, &room) == 0) return nullptr;
    Self& self = Self::of(object);
    ThreadRing* const ring = self.adapter.load();
    if (ring == nullptr || !ring->waiters(room != 0).remove_listener(fd)) {
        PyErr_Format(PyExc_ValueError, "fd %d is no listener", fd);
        return nullptr;
    }
    self.drop_user();
    Py_RETURN_NONE;
}

}  // namespace

namespace lockfree::messages {

nb::object base_type() {
    static PyObject* type = nullptr;
    if (type == nullptr) {
        PyType_Slot slots[] = {
            {Py_tp_doc, const_cast<char*>(doc::kBase)},
            {0, nullptr},
        };
        PyType_Spec spec{
            "dwcp._core.lockfree.Messages", 0, 0,
            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
        type = PyType_FromSpec(&spec);
        if (type == nullptr) throw nb::python_error();
    }
    return nb::borrow(type);
}

}  // namespace lockfree::messages

void init_lockfree_byte_ring(nb::module_& module) {
    module.attr("Messages") = messages::base_type();
    module.attr("ByteRing") = Type::define({
        .name = "dwcp._core.lockfree.ByteRing",
        .documentation = "ByteRing(capacity)\n--\n\n"
                         "A ring of messages between threads; use dwcp.lockfree.ByteRing.",
        .make = make,
        .properties = {{"capacity", capacity, nullptr, "Longest message in bytes.", nullptr}},
        .methods =
            {
                {"used_bytes", used_bytes, METH_NOARGS,
                 "used_bytes($self, /)\n--\n\n"
                 "Bytes in use: of each message its own, rounded up to 8, and 8 more."},
                {"_add_listener", add_listener, METH_VARARGS, messages::doc::kAddListener},
                {"_remove_listener", remove_listener, METH_VARARGS, messages::doc::kRemoveListener},
            },
        .writing_name = "dwcp._core.lockfree.RingWriting",
        .reading_name = "dwcp._core.lockfree.RingReading",
    });
}

}  // namespace dwcp::bindings
