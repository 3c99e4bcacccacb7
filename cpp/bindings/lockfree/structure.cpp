#include "lockfree/structure.hpp"

#include <cmath>

namespace dwcp::bindings::lockfree {

Exceptions exceptions;

bool Patience::parse(PyObject* block_argument, PyObject* timeout) {
    if (block_argument != nullptr) {
        const int truth = PyObject_IsTrue(block_argument);
        if (truth < 0) return false;
        block = truth != 0;
    }
    if (timeout == nullptr || timeout == Py_None || !block) return true;
    const double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred() != nullptr) {
        if (PyErr_ExceptionMatches(PyExc_TypeError) != 0) {
            PyErr_Format(PyExc_TypeError, "timeout must be a number of seconds or None, not %R",
                         reinterpret_cast<PyObject*>(Py_TYPE(timeout)));
        }
        return false;
    }
    if (!(seconds >= 0.0)) {
        PyErr_Format(PyExc_ValueError, "timeout must be a non-negative number of seconds, not %R",
                     timeout);
        return false;
    }
    constexpr double kLongest = 1e9;  // beyond 30 years there is no end
    if (seconds == 0.0) {
        block = false;
    } else if (seconds < kLongest) {
        deadline = std::chrono::steady_clock::now() +
                   std::chrono::nanoseconds(static_cast<std::int64_t>(std::ceil(seconds * 1e9)));
    }
    return true;
}

bool to_count(PyObject* object, const char* name, std::size_t min, std::size_t& count) {
    if (PyIndex_Check(object) == 0) {
        PyErr_Format(PyExc_TypeError, "%s must be an int, not %R", name,
                     reinterpret_cast<PyObject*>(Py_TYPE(object)));
        return false;
    }
    // Beyond what fits, it is what fits: no structure holds more.
    const Py_ssize_t value = PyNumber_AsSsize_t(object, nullptr);
    if (value == -1 && PyErr_Occurred() != nullptr) return false;
    if (value < static_cast<Py_ssize_t>(min)) {
        PyErr_Format(PyExc_ValueError, "%s must be at least %zu, but is %R", name, min, object);
        return false;
    }
    count = static_cast<std::size_t>(value);
    return true;
}

void set_refusal(bool putting, bool is_shut_down) noexcept {
    PyErr_SetNone(is_shut_down ? exceptions.shut_down
                  : putting    ? exceptions.full
                               : exceptions.empty);
}

}  // namespace dwcp::bindings::lockfree
