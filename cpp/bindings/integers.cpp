#include "integers.hpp"

namespace dwcp::bindings {

namespace {

// What int() of other types would accept is no number here.
bool refuse_type(PyObject* object, const char* argument) noexcept {
    if (PyErr_ExceptionMatches(PyExc_TypeError) != 0 && PyIndex_Check(object) == 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s must be an int, not %R", argument,
                     reinterpret_cast<PyObject*>(Py_TYPE(object)));
    }
    return false;
}

}  // namespace

bool to_masked_u32(PyObject* object, const char* argument, std::uint32_t& value) noexcept {
    const unsigned long bits = PyLong_AsUnsignedLongMask(object);
    value = static_cast<std::uint32_t>(bits & 0xFFFF'FFFF);
    if (bits == static_cast<unsigned long>(-1) && PyErr_Occurred() != nullptr) {
        return refuse_type(object, argument);
    }
    return true;
}

bool to_bounded(PyObject* object, const char* argument, std::uint64_t max, std::uint64_t& value,
                std::uint64_t min) noexcept {
    // The quick way for nearly all values.
    int overflow = 0;
    const long long small = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (small == -1 && overflow == 0 && PyErr_Occurred() != nullptr) {
        return refuse_type(object, argument);
    }
    bool inside = overflow == 0 && small >= 0;
    value = static_cast<std::uint64_t>(small);
    if (overflow > 0) {
        PyObject* const index = PyNumber_Index(object);
        if (index == nullptr) return false;
        value = PyLong_AsUnsignedLongLong(index);
        inside = value != static_cast<std::uint64_t>(-1) || PyErr_Occurred() == nullptr;
        PyErr_Clear();  // OverflowError: index is an int
        Py_DECREF(index);
    }
    if (inside && value >= min && value <= max) return true;
    PyErr_Format(PyExc_ValueError, "%s must be %llu..%llu", argument,
                 static_cast<unsigned long long>(min), static_cast<unsigned long long>(max));
    return false;
}

bool to_hash128(PyObject* object, const char* argument, checksum::Hash128 max,
                checksum::Hash128& value) noexcept {
    if (max.high64 == 0) return to_bounded(object, argument, max.low64, value.low64);
    PyObject* const index = PyNumber_Index(object);
    if (index == nullptr) return refuse_type(object, argument);
    PyObject* const shift = PyLong_FromLong(64);
    PyObject* const high = shift == nullptr ? nullptr : PyNumber_Rshift(index, shift);
    bool good = high != nullptr;
    if (good) {
        value.low64 = PyLong_AsUnsignedLongLongMask(index);
        value.high64 = PyLong_AsUnsignedLongLong(high);
        if (value.high64 == static_cast<std::uint64_t>(-1) && PyErr_Occurred() != nullptr) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "%s must be 0..2^128-1", argument);
            good = false;
        }
    }
    Py_XDECREF(high);
    Py_XDECREF(shift);
    Py_DECREF(index);
    return good;
}

PyObject* to_int(checksum::Hash128 value) noexcept {
#if !defined(Py_LIMITED_API) && PY_VERSION_HEX < 0x030D0000 && \
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    // One object instead of five.
    return _PyLong_FromByteArray(reinterpret_cast<const unsigned char*>(&value), sizeof value, 1,
                                 0);
#else
    PyObject* const high = PyLong_FromUnsignedLongLong(value.high64);
    PyObject* const low = PyLong_FromUnsignedLongLong(value.low64);
    PyObject* const shift = PyLong_FromLong(64);
    PyObject* const shifted =
        high == nullptr || shift == nullptr ? nullptr : PyNumber_Lshift(high, shift);
    PyObject* const result =
        shifted == nullptr || low == nullptr ? nullptr : PyNumber_Or(shifted, low);
    for (PyObject* const object : {high, low, shift, shifted}) Py_XDECREF(object);
    return result;
#endif
}

}  // namespace dwcp::bindings
