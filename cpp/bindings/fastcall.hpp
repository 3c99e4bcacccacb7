// Functions whose call must cost next to nothing: METH_FASTCALL functions put into a nanobind
// module, with arguments taken by the cheapest way that is safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "buffer.hpp"

namespace dwcp::bindings::fastcall {

// One row for PyModule_AddFunctions: the docstring begins with the signature, "name($module, ...)",
// then a line "--" and an empty one, as inspect.signature wants it.
using Function = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
inline PyMethodDef method(const char* name, Function function, const char* doc) noexcept {
    // The flags tell CPython the real type; through void (*)() the compiler accepts the cast.
    const auto pointer = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
    return {name, pointer, METH_FASTCALL | METH_KEYWORDS, doc};
}

// Puts the functions into the module; the array ends with an empty row and lives as long as they.
void add(nb::module_& module, PyMethodDef* methods);

// Names of the parameters of a function; the first `required` have no default.
struct Parameters {
    const char* function;
    std::span<const char* const> names;
    Py_ssize_t required;
};

// Sorts positional and keyword arguments: bound[i] is a borrowed reference to the argument of
// parameter i, or nullptr where it is not given. False with TypeError set.
[[nodiscard]] bool bind(const Parameters& parameters, PyObject* const* arguments, Py_ssize_t count,
                        PyObject* keywords, PyObject** bound) noexcept;

// The head of every NumPy array, part of NumPy's binary interface since its first version; what
// follows differs between versions and is not looked at.
struct ArrayHead {
    PyObject object;
    char* data;
    int dimensions;
    Py_ssize_t* shape;
    Py_ssize_t* strides;
    PyObject* base;
    PyObject* dtype;
    int flags;
};

// numpy.ndarray, or nullptr where arrays do not begin as ArrayHead says, or where other threads may
// change one while it is looked at. Set once, by add().
extern PyTypeObject* array_type;

// The memory of an argument. Making a Py_buffer of it costs 10 to 30 ns, and so the usual types are
// looked into: that is right as long as no Python code can run, because that could resize the
// object. Whoever uses several views calls refresh() on each once all are acquired.
class View {
  public:
    View() noexcept : held_(false) {}
    View(const View&) = delete;
    View& operator=(const View&) = delete;
    ~View() {
        if (held_) PyBuffer_Release(&buffer_);
    }

    // False with TypeError or BufferError set, as the class Buffer raises them.
    template <bool kWritable = false>
    [[nodiscard]] bool acquire(PyObject* object, const char* argument) noexcept {
        return look<kWritable>(object) || hold(object, argument, kWritable);
    }

    // Looks again when the object is only looked into. False as acquire().
    template <bool kWritable = false>
    [[nodiscard]] bool refresh(PyObject* object, const char* argument) noexcept {
        return held_ || acquire<kWritable>(object, argument);
    }

    // Before the GIL is released in any case: holds on to what is only looked into. False as
    // acquire().
    template <bool kWritable = false>
    [[nodiscard]] bool keep(PyObject* object, const char* argument) noexcept {
        return held_ || Py_TYPE(object) == &PyBytes_Type || hold(object, argument, kWritable);
    }

    [[nodiscard]] bool held() const noexcept { return held_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] std::span<std::byte> writable_bytes() const noexcept { return {data_, size_}; }

  private:
    // Objects that can be resized are not looked into when they are so long that the GIL will be
    // released.
    template <bool kWritable>
    bool look(PyObject* object) noexcept {
        PyTypeObject* const type = Py_TYPE(object);
        if (!kWritable && type == &PyBytes_Type) return look_into_bytes(object);
        if (array_type != nullptr && type == array_type) return look_into_array<kWritable>(object);
#ifndef Py_GIL_DISABLED
        if (type == &PyByteArray_Type) return look_into_bytearray(object);
#endif
        return false;
    }

    bool look_into_bytes(PyObject* object) noexcept {
#ifdef Py_LIMITED_API
        set(PyBytes_AsString(object), PyBytes_Size(object));
#else
        set(PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object));
#endif
        return true;
    }

#ifndef Py_GIL_DISABLED
    bool look_into_bytearray(PyObject* object) noexcept {
#ifdef Py_LIMITED_API
        set(PyByteArray_AsString(object), PyByteArray_Size(object));
#else
        set(PyByteArray_AS_STRING(object), PyByteArray_GET_SIZE(object));
#endif
        return size_ < kReleaseBytesMin;
    }
#endif

    template <bool kWritable>
    bool look_into_array(PyObject* object) noexcept {
        constexpr unsigned kContiguous = 0x0001;
        constexpr unsigned kWriteable = 0x0400;
        constexpr unsigned kWarnOnWrite = 0x8000'0000;
        constexpr unsigned kWanted = kContiguous | (kWritable ? kWriteable : 0);
        constexpr unsigned kMask = kWanted | (kWritable ? kWarnOnWrite : 0);
        const auto* const array = reinterpret_cast<const ArrayHead*>(object);
        if ((static_cast<unsigned>(array->flags) & kMask) != kWanted) return false;
        // Of contiguous memory, the outermost axis with more than one entry spans all of it. The
        // strides of other axes mean nothing, nor does any where an axis is empty.
        Py_ssize_t size = 0;
        for (int axis = 0; axis < array->dimensions; ++axis) {
            const Py_ssize_t entries = array->shape[axis];
            if (entries == 0) return false;
            if (size == 0 && entries > 1) size = entries * array->strides[axis];
        }
        if (size == 0) return false;
        set(array->data, size);
        return size_ < kReleaseBytesMin;
    }

    bool hold(PyObject* object, const char* argument, bool writable) noexcept;

    void set(void* data, Py_ssize_t size) noexcept {
        data_ = static_cast<std::byte*>(data);
        size_ = static_cast<std::size_t>(size);
    }

    std::byte* data_;
    std::size_t size_;
    bool held_;
    Py_buffer buffer_;  // only set when held
};

}  // namespace dwcp::bindings::fastcall
