#include "memory/source.hpp"

#include <new>
#include <string>

#include "integers.hpp"
#include "memory/buffer.hpp"

namespace dwcp::bindings::memory {

namespace {

bool put_one(Source& self, PyObject* argument) noexcept {
    if (Py_TYPE(argument) != buffer_type) {
        PyErr_Format(PyExc_TypeError, "buffer must be a dwcp.memory.Buffer, not %R",
                     reinterpret_cast<PyObject*>(Py_TYPE(argument)));
        return false;
    }
    Buffer& buffer = Buffer::of(argument);
    if (buffer.source != &self) {
        PyErr_SetString(PyExc_ValueError, "buffer must be of this pool, but is of another one");
        return false;
    }
    return self.check_open() && buffer.put();
}

}  // namespace

bool Source::check_open() const noexcept {
    if (!closed.load(std::memory_order_relaxed)) return true;
    char text[64];
    PyOS_snprintf(text, sizeof text, "the %s was closed", kind->name);
    set_dwcp_error("Closed", text);
    return false;
}

PyObject* allocate_source(PyTypeObject* type, const SourceKind& kind) noexcept {
    const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
    PyObject* const object = allocate(type, 0);
    if (object == nullptr) return nullptr;
    Source& self = Source::of(object);
    self.kind = &kind;
    self.pool = nullptr;
    new (&self.closed) std::atomic<bool>(false);
    return object;
}

nb::tuple to_tuple(const dwcp::memory::PoolCounts& counts) {
    return nb::make_tuple(counts.allocations, counts.deallocations, counts.misses,
                          counts.bytes_held, counts.bytes_held_max);
}

namespace methods {

void destroy(PyObject* object) noexcept {
    PyTypeObject* const type = Py_TYPE(object);
    const Source& self = Source::of(object);
    self.kind->destroy(self.pool);
    reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(reinterpret_cast<PyObject*>(type));
}

PyObject* put(PyObject* object, PyObject* buffer) noexcept {
    if (!put_one(Source::of(object), buffer)) return nullptr;
    Py_RETURN_NONE;
}

PyObject* put_many(PyObject* object, PyObject* buffers) noexcept {
    PyObject* const iterator = PyObject_GetIter(buffers);
    if (iterator == nullptr) return nullptr;
    bool good = true;
    PyObject* buffer = nullptr;
    while (good && (buffer = PyIter_Next(iterator)) != nullptr) {
        good = put_one(Source::of(object), buffer);
        Py_DECREF(buffer);
    }
    Py_DECREF(iterator);
    if (!good || PyErr_Occurred() != nullptr) return nullptr;
    Py_RETURN_NONE;
}

PyObject* trim(PyObject* object, PyObject*) noexcept {
    try {
        const Source& self = Source::of(object);
        std::size_t given_back = 0;
        {
            const nb::gil_scoped_release release;
            given_back = self.kind->trim(self.pool);
        }
        return PyLong_FromSize_t(given_back);
    } catch (...) {
        return set_error();
    }
}

PyObject* close(PyObject* object, PyObject*) noexcept {
    if (Source::of(object).closed.exchange(true)) Py_RETURN_NONE;
    PyObject* const given_back = trim(object, nullptr);
    if (given_back == nullptr) return nullptr;
    Py_DECREF(given_back);
    Py_RETURN_NONE;
}
PyObject* enter(PyObject* object, PyObject*) noexcept {
    if (!Source::of(object).check_open()) return nullptr;
    Py_INCREF(object);
    return object;
}
PyObject* exit(PyObject* object, PyObject*) noexcept {
    return close(object, nullptr);
}
PyObject* is_closed(PyObject* object, void*) noexcept {
    return PyBool_FromLong(Source::of(object).closed.load());
}

}  // namespace methods

bool to_limit(PyObject* limit, std::size_t& limit_bytes) noexcept {
    if (limit == Py_None) return true;
    std::uint64_t value = 0;
    if (!to_bounded(limit, "limit_bytes", kSizeMax, value)) return false;
    limit_bytes = value;
    return true;
}

PyTypeObject* make_source_type(nb::module_& module, const char* name, PyType_Slot* slots) {
    const std::string qualified = std::string("dwcp.memory.") += name;
    PyType_Spec spec{qualified.c_str(), static_cast<int>(sizeof(Source)), 0, Py_TPFLAGS_DEFAULT,
                     slots};
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw nb::python_error();
    module.attr(name) = nb::borrow(type);
    return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace dwcp::bindings::memory
