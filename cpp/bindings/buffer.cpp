#include "buffer.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace dwcp::bindings {

namespace {

constexpr std::size_t kHugeBytesMin = std::size_t{4} << 20;

}  // namespace

bool get_buffer(PyObject* object, const char* argument, bool writable, Py_buffer& view) noexcept {
    // With PyBUF_SIMPLE the length is in bytes, and only C-contiguous memory is given out.
    const int flags = writable ? PyBUF_WRITABLE : PyBUF_SIMPLE;
    if (PyObject_GetBuffer(object, &view, flags) == 0) return true;
    if (PyErr_ExceptionMatches(PyExc_TypeError) != 0 && PyObject_CheckBuffer(object) == 0) {
        PyErr_Format(PyExc_TypeError, "%s must support the buffer protocol, and %R does not",
                     argument, reinterpret_cast<PyObject*>(Py_TYPE(object)));
        return false;
    }
    // NumPy raises ValueError where other exporters raise BufferError.
    PyErr_Clear();
    PyErr_Format(
        PyExc_BufferError,
        writable ? "%s must be a writable C-contiguous buffer" : "%s must be a C-contiguous buffer",
        argument);
    return false;
}

Buffer::Buffer(nb::handle object, const char* argument, bool writable) {
    if (!get_buffer(object.ptr(), argument, writable, view_)) throw nb::python_error();
}

Buffer::Buffer(Buffer&& other) noexcept : view_(other.view_) {
    other.view_ = Py_buffer{};
}

Buffer::~Buffer() {
    if (view_.obj != nullptr) PyBuffer_Release(&view_);
}

nb::bytes new_bytes(std::size_t size) {
    PyObject* const object = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
    if (object == nullptr) throw nb::python_error();
    nb::bytes bytes = nb::steal<nb::bytes>(object);
    if (size >= kHugeBytesMin) {
        // Fresh memory of this size is faulted in page by page, which takes longer than filling
        // it; NumPy asks for huge pages in the same way. A refusal costs nothing.
        constexpr std::uintptr_t kPageBytes = 4096;
        const auto first = reinterpret_cast<std::uintptr_t>(contents(bytes).data());
        const std::uintptr_t aligned = (first + kPageBytes - 1) / kPageBytes * kPageBytes;
        (void)madvise(reinterpret_cast<void*>(aligned), first + size - aligned, MADV_HUGEPAGE);
    }
    return bytes;
}

std::span<std::byte> contents(nb::bytes& object) {
    return {reinterpret_cast<std::byte*>(PyBytes_AsString(object.ptr())),
            static_cast<std::size_t>(PyBytes_Size(object.ptr()))};
}

nb::bytes to_bytes(std::span<const std::byte> data) {
    nb::bytes object = new_bytes(data.size());
    if (!data.empty()) std::memcpy(contents(object).data(), data.data(), data.size());
    return object;
}

}  // namespace dwcp::bindings
