#include "dwcp/delta/xor.hpp"

#include <stdexcept>

#include "fastcall.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

constexpr const char* kNames[] = {"a", "b", "out"};
constexpr fastcall::Parameters kParameters = {"xor", kNames, 2};

bool equal_lengths(const fastcall::View& a, const fastcall::View& b) noexcept {
    if (a.size() == b.size()) return true;
    PyErr_Format(PyExc_ValueError, "xor: a and b must have equal lengths, not %zu and %zu bytes",
                 a.size(), b.size());
    return false;
}

// Into `out`; true, or false with an exception set.
bool run(std::span<std::byte> out, const fastcall::View& a, const fastcall::View& b) noexcept {
    try {
        without_gil(a.size(), [&] { delta::xor_bytes(out, a.bytes(), b.bytes()); });
        return true;
    } catch (const std::invalid_argument& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    return false;
}

PyObject* xor_into_new_bytes(const fastcall::View& a, const fastcall::View& b) noexcept {
    if (!equal_lengths(a, b)) return nullptr;
    try {
        nb::bytes result = new_bytes(a.size());
        return run(contents(result), a, b) ? result.release().ptr() : nullptr;
    } catch (nb::python_error& error) {
        error.restore();
    }
    return nullptr;
}

PyObject* xor_buffers(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count,
                      PyObject* keywords) noexcept {
    PyObject* bound[3] = {nullptr, nullptr, nullptr};
    if (count == 3 && keywords == nullptr) {
        bound[0] = arguments[0];
        bound[1] = arguments[1];
        bound[2] = arguments[2];
    } else if (!fastcall::bind(kParameters, arguments, count, keywords, bound)) {
        return nullptr;
    }
    fastcall::View a;
    fastcall::View b;
    if (!a.acquire(bound[0], "a") || !b.acquire(bound[1], "b")) return nullptr;
    if (bound[2] == nullptr || bound[2] == Py_None) {
        // Making bytes runs no Python code, but acquiring b may have.
        if (b.held() && !a.refresh(bound[0], "a")) return nullptr;
        return xor_into_new_bytes(a, b);
    }
    fastcall::View out;
    if (!out.acquire<true>(bound[2], "out")) return nullptr;
    if ((b.held() || out.held()) && (!a.refresh(bound[0], "a") || !b.refresh(bound[1], "b"))) {
        return nullptr;
    }
    return run(out.writable_bytes(), a, b) ? Py_NewRef(bound[2]) : nullptr;
}

PyMethodDef methods[] = {
    fastcall::method(
        "xor", &xor_buffers,
        "xor($module, /, a, b, out=None)\n--\n\n"
        "XOR of two buffers of equal length.\n\n"
        "Returns out when it is given, a writable buffer of the same length that may be a or\n"
        "b, and new bytes otherwise. May be called from any thread; the GIL is released from\n"
        "64 KiB on. Raises ValueError when the lengths differ or out overlaps an input\n"
        "partially, TypeError or BufferError when an argument is not a C-contiguous (out: and\n"
        "writable) buffer."),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void init_xor(nb::module_& module) {
    fastcall::add(module, methods);
}

}  // namespace dwcp::bindings
