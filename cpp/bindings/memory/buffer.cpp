#include "memory/buffer.hpp"

#include <array>
#include <new>

namespace dwcp::bindings::memory {

PyTypeObject* buffer_type = nullptr;
PyTypeObject* pool_type = nullptr;

namespace {

#ifdef Py_GIL_DISABLED
// Other threads may still look at an object that has gone: only the interpreter knows until when.
constexpr std::size_t kSparesMax = 0;
#else
constexpr std::size_t kSparesMax = 64;
#endif
// Memory of objects that have gone, for the next ones. The GIL keeps threads apart.
std::array<PyObject*, kSparesMax + 1> spares;
std::size_t spare_count = 0;

PyObject* allocate() noexcept {
    if (spare_count > 0) return PyObject_Init(spares[--spare_count], buffer_type);
    const auto allocate_new = reinterpret_cast<allocfunc>(PyType_GetSlot(buffer_type, Py_tp_alloc));
    return allocate_new(buffer_type, 0);
}

void destroy(PyObject* object) noexcept {
    PyTypeObject* const type = Py_TYPE(object);
    Buffer& self = Buffer::of(object);
    // Views hold the object, so there are none.
    if (!self.uses.was_put()) self.give_back();
    Py_DECREF(reinterpret_cast<PyObject*>(self.source));
    self.uses.~Uses();
    if (spare_count < kSparesMax) {
        spares[spare_count++] = object;
    } else {
        reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
    }
    Py_DECREF(reinterpret_cast<PyObject*>(type));
}

int get_buffer(PyObject* object, Py_buffer* view, int flags) noexcept {
    Buffer& self = Buffer::of(object);
    if (!self.uses.add_view()) {
        view->obj = nullptr;
        PyErr_SetString(PyExc_BufferError, "the buffer was put back into its pool");
        return -1;
    }
    const int result =
        PyBuffer_FillInfo(view, object, self.data, static_cast<Py_ssize_t>(self.size), 0, flags);
    if (result != 0 && self.uses.drop_view()) self.give_back();
    return result;
}
void release_buffer(PyObject* object, Py_buffer*) noexcept {
    Buffer& self = Buffer::of(object);
    if (self.uses.drop_view()) self.give_back();
}

PyObject* enter(PyObject* object, PyObject*) noexcept {
    Py_INCREF(object);
    return object;
}
PyObject* exit(PyObject* object, PyObject*) noexcept {
    bool before = false;
    Buffer& self = Buffer::of(object);
    if (self.uses.put(before)) self.give_back();
    Py_RETURN_NONE;
}
PyObject* release(PyObject* object, PyObject*) noexcept {
    if (!Buffer::of(object).put()) return nullptr;
    Py_RETURN_NONE;
}

Py_ssize_t length(PyObject* object) noexcept {
    return static_cast<Py_ssize_t>(Buffer::of(object).size);
}
PyObject* size(PyObject* object, void*) noexcept {
    return PyLong_FromSize_t(Buffer::of(object).size);
}
PyObject* capacity(PyObject* object, void*) noexcept {
    const Buffer& self = Buffer::of(object);
    return PyLong_FromSize_t(self.source->kind->capacity(self.source->pool, self.size));
}
PyObject* is_released(PyObject* object, void*) noexcept {
    return PyBool_FromLong(Buffer::of(object).uses.was_put());
}
PyObject* represent(PyObject* object) noexcept {
    const Buffer& self = Buffer::of(object);
    return PyUnicode_FromFormat("<dwcp.memory.Buffer of %zu bytes%s>", self.size,
                                self.uses.was_put() ? ", released" : "");
}

}  // namespace

bool Uses::add_view() noexcept {
#ifdef Py_GIL_DISABLED
    unsigned state = state_.load(std::memory_order_relaxed);
    do {
        if ((state & kPut) != 0) return false;
    } while (!state_.compare_exchange_weak(state, state + kView, std::memory_order_acq_rel));
    return true;
#else
    const unsigned state = state_.load(std::memory_order_relaxed);
    if ((state & kPut) != 0) return false;
    state_.store(state + kView, std::memory_order_relaxed);
    return true;
#endif
}
bool Uses::drop_view() noexcept {
#ifdef Py_GIL_DISABLED
    return state_.fetch_sub(kView, std::memory_order_acq_rel) == (kView | kPut);
#else
    const unsigned state = state_.load(std::memory_order_relaxed) - kView;
    state_.store(state, std::memory_order_relaxed);
    return state == kPut;
#endif
}
bool Uses::put(bool& before) noexcept {
#ifdef Py_GIL_DISABLED
    const unsigned state = state_.fetch_or(kPut, std::memory_order_acq_rel);
#else
    const unsigned state = state_.load(std::memory_order_relaxed);
    state_.store(state | kPut, std::memory_order_relaxed);
#endif
    before = (state & kPut) != 0;
    return state == 0;
}

PyObject* Buffer::make(Source& source, void* data, std::size_t size) noexcept {
    PyObject* const object = allocate();
    if (object == nullptr) {
        source.kind->put(source.pool, data);
        return nullptr;
    }
    Buffer& self = of(object);
    Py_INCREF(reinterpret_cast<PyObject*>(&source));
    self.source = &source;
    self.data = data;
    self.size = size;
    new (&self.uses) Uses;
    return object;
}

bool Buffer::put() noexcept {
    bool before = false;
    if (uses.put(before)) give_back();
    if (before) PyErr_SetString(PyExc_ValueError, "the buffer was put before");
    return !before;
}

void Buffer::give_back() noexcept {
    source->kind->put(source->pool, data);
}

void make_buffer_type(nb::module_& module) {
    static PyMethodDef methods[] = {
        {"__enter__", enter, METH_NOARGS, "The buffer itself."},
        {"__exit__", exit, METH_VARARGS,
         "Give the memory back, unless that was done; views that are left keep it until they go."},
        {"release", release, METH_NOARGS,
         "release($self, /)\n--\n\nGive the memory back to the pool, which is what its put() "
         "does.\n\n"
         "Views that are left keep the memory until the last of them goes. Raises ValueError when\n"
         "it was given back before. May be called from any thread."},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyGetSetDef properties[] = {
        {"size", size, nullptr, "Length in bytes, as it was asked for.", nullptr},
        {"capacity", capacity, nullptr, "Bytes that the memory behind it has.", nullptr},
        {"released", is_released, nullptr, "Whether it was given back.", nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    PyType_Slot slots[] = {
        {Py_tp_doc,
         const_cast<char*>(
             "Memory of a pool: a writable buffer of bytes.\n\n"
             "memoryview(buffer), numpy.asarray(buffer) and whatever else takes a buffer use the\n"
             "memory itself. It goes back to the pool by put(), by release(), at the end of a\n"
             "`with` block or when the object goes, from any thread; as long as there are views,\n"
             "it is only marked, and the last view gives it back.")},
        {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
        {Py_tp_methods, methods},
        {Py_tp_getset, properties},
        {Py_tp_repr, reinterpret_cast<void*>(represent)},
        {Py_sq_length, reinterpret_cast<void*>(length)},
        {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
        {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
        {0, nullptr},
    };
    PyType_Spec spec{"dwcp.memory.Buffer", static_cast<int>(sizeof(Buffer)), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw nb::python_error();
    buffer_type = reinterpret_cast<PyTypeObject*>(type);
    module.attr("Buffer") = nb::steal(type);
    Py_INCREF(type);
}

}  // namespace dwcp::bindings::memory
