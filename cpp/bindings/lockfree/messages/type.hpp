// Making and freeing the Python objects.
#pragma once

#include <nanobind/nanobind.h>
// Needs Python.h before it.
#include <structmember.h>

#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "lockfree/messages/methods.hpp"

namespace dwcp::bindings::lockfree::messages {

// The common base class.
nb::object base_type();

template <typename Adapter>
struct Type {
    using Self = Channel<Adapter>;
    // Of the arguments of a call; nullptr with an exception set, or by throwing.
    using Make = Adapter* (*)(PyObject* positional, PyObject* named);

    // What differs from others.
    struct Parts {
        const char* name;  // in full
        const char* documentation;
        Make make;
        std::vector<PyGetSetDef> properties;
        std::vector<PyMethodDef> methods;
        const char* writing_name;
        const char* reading_name;
    };

    static nb::object define(const Parts& parts) {
        make_adapter = parts.make;
        Methods<Adapter>::writing_type = Methods<Adapter>::InPlaceWriting::make_type(
            parts.writing_name, "A message that is being written in its place.");
        Methods<Adapter>::reading_type = Methods<Adapter>::InPlaceReading::make_type(
            parts.reading_name, "A message that is being read in its place.");

        static PyMemberDef members[] = {
            {"__weaklistoffset__", T_PYSSIZET, offsetof(Self, weak_references), READONLY, nullptr},
            {nullptr, 0, 0, 0, nullptr},
        };
        static std::vector<PyMethodDef> methods;
        for (PyMethodDef* row = Methods<Adapter>::table(); row->ml_name != nullptr; ++row) {
            methods.push_back(*row);
        }
        methods.insert(methods.end(), parts.methods.begin(), parts.methods.end());
        methods.push_back({nullptr, nullptr, 0, nullptr});
        static std::vector<PyGetSetDef> properties = {
            {"closed", closed, nullptr, "Whether close() was called.", nullptr},
            {"is_shut_down", is_shut_down, nullptr, "Whether shutdown() was called, by anybody.",
             nullptr},
        };
        properties.insert(properties.end(), parts.properties.begin(), parts.properties.end());
        properties.push_back({nullptr, nullptr, nullptr, nullptr, nullptr});
        PyType_Slot slots[] = {
            {Py_tp_doc, const_cast<char*>(parts.documentation)},
            {Py_tp_new, reinterpret_cast<void*>(create)},
            {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
            {Py_tp_methods, methods.data()},
            {Py_tp_members, members},
            {Py_tp_getset, properties.data()},
            {0, nullptr},
        };
        PyType_Spec spec{parts.name, static_cast<int>(sizeof(Self)), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
        PyObject* const type = PyType_FromSpecWithBases(&spec, base_type().ptr());
        if (type == nullptr) throw nb::python_error();
        return nb::steal(type);
    }

    // Calls `what` on the adapter, for methods and properties of one type; raises Closed.
    template <typename What>
    static PyObject* with(PyObject* object, What&& what) noexcept {
        const Use<Adapter> use(Self::of(object));
        if (!use.check()) return nullptr;
        try {
            return what(*use);
        } catch (...) {
            return set_error();
        }
    }

  private:
    static inline Make make_adapter = nullptr;

    static PyObject* create(PyTypeObject* type, PyObject* positional, PyObject* named) noexcept {
        Adapter* adapter = nullptr;
        try {
            adapter = make_adapter(positional, named);
        } catch (...) {
            set_error();
        }
        if (adapter == nullptr) return nullptr;
        const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
        PyObject* const object = allocate(type, 0);
        if (object == nullptr) {
            delete adapter;
            return nullptr;
        }
        Self& self = Self::of(object);
        new (&self.adapter) std::atomic<Adapter*>(adapter);
        new (&self.users) Count;
        new (&self.closed) std::atomic<bool>(false);
        return object;
    }
    static void destroy(PyObject* object) noexcept {
        PyTypeObject* const type = Py_TYPE(object);
        Self& self = Self::of(object);
        if (self.weak_references != nullptr) PyObject_ClearWeakRefs(object);
        delete self.adapter.load();
        reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
        Py_DECREF(reinterpret_cast<PyObject*>(type));
    }
    static PyObject* closed(PyObject* object, void*) noexcept {
        return PyBool_FromLong(Self::of(object).closed.load());
    }
    static PyObject* is_shut_down(PyObject* object, void*) noexcept {
        return with(object,
                    [](Adapter& adapter) { return PyBool_FromLong(adapter.is_shut_down()); });
    }
};

}  // namespace dwcp::bindings::lockfree::messages
