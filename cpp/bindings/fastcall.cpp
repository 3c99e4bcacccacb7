#include "fastcall.hpp"

#include <algorithm>

namespace dwcp::bindings::fastcall {

PyTypeObject* array_type = nullptr;

#ifndef Py_GIL_DISABLED

namespace {

// Whether what ArrayHead says of an array is what its buffer says.
bool has_array_head(nb::handle object, bool writable, std::size_t itemsize) {
    const auto* const array = reinterpret_cast<const ArrayHead*>(object.ptr());
    const Buffer buffer(object, "array");
    const auto* const data = static_cast<const void*>(array->data);
    return data == buffer.bytes().data() && array->dimensions == 1 &&
           array->strides[0] == static_cast<Py_ssize_t>(itemsize) &&
           static_cast<std::size_t>(array->shape[0] * array->strides[0]) == buffer.bytes().size() &&
           (array->flags & 0x0001) != 0 && ((array->flags & 0x0400) != 0) == writable;
}

PyTypeObject* find_array_type() {
    const nb::module_ numpy = nb::module_::import_("numpy");
    const nb::object writable = numpy.attr("zeros")(5, "u2");
    const nb::object constant = numpy.attr("frombuffer")(nb::bytes("12345678"), "u4");
    const nb::object type = numpy.attr("ndarray");
    const bool known = writable.type().is(type) && constant.type().is(type) &&
                       has_array_head(writable, true, 2) && has_array_head(constant, false, 4);
    if (!known) return nullptr;
    // Never given back: functions that use it live as long as the process.
    return reinterpret_cast<PyTypeObject*>(nb::object(type).release().ptr());
}

}  // namespace

#endif

void add(nb::module_& module, PyMethodDef* methods) {
#ifndef Py_GIL_DISABLED
    if (array_type == nullptr) array_type = find_array_type();
#endif
    if (PyModule_AddFunctions(module.ptr(), methods) != 0) throw nb::python_error();
}

bool bind(const Parameters& parameters, PyObject* const* arguments, Py_ssize_t count,
          PyObject* keywords, PyObject** bound) noexcept {
    const auto names = parameters.names;
    const auto most = static_cast<Py_ssize_t>(names.size());
    if (count > most) {
        PyErr_Format(PyExc_TypeError, "%s takes at most %zd positional arguments, %zd were given",
                     parameters.function, most, count);
        return false;
    }
    std::fill_n(bound, most, nullptr);
    std::copy_n(arguments, count, bound);
    const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_Size(keywords);
    for (Py_ssize_t i = 0; i < named; ++i) {
        PyObject* const keyword = PyTuple_GetItem(keywords, i);
        // From the last one: those with a default are named most often.
        std::size_t place = names.size();
        while (place > 0 && PyUnicode_CompareWithASCIIString(keyword, names[place - 1]) != 0) {
            --place;
        }
        if (place == 0) {
            PyErr_Format(PyExc_TypeError, "%s has no parameter %R", parameters.function, keyword);
            return false;
        }
        PyObject*& slot = bound[place - 1];
        if (slot != nullptr) {
            PyErr_Format(PyExc_TypeError, "%s got two values for %s", parameters.function,
                         names[place - 1]);
            return false;
        }
        slot = arguments[count + i];
    }
    for (Py_ssize_t i = 0; i < parameters.required; ++i) {
        if (bound[i] == nullptr) {
            PyErr_Format(PyExc_TypeError, "%s needs the argument %s", parameters.function,
                         names[static_cast<std::size_t>(i)]);
            return false;
        }
    }
    return true;
}

bool View::hold(PyObject* object, const char* argument, bool writable) noexcept {
    if (!get_buffer(object, argument, writable, buffer_)) return false;
    set(buffer_.buf, buffer_.len);
    held_ = true;
    return true;
}

}  // namespace dwcp::bindings::fastcall
