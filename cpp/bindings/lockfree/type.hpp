// Making, visiting and freeing the Python objects.
#pragma once

#include <nanobind/nanobind.h>
// Needs Python.h before it.
#include <structmember.h>

#include <cstddef>
#include <new>

#include "lockfree/methods.hpp"

namespace dwcp::bindings::lockfree {

template <typename Adapter>
struct Type {
    using Self = Structure<Adapter>;

    // A new reference to the type. `base` is its base class.
    static PyObject* make(const char* name, const char* documentation, PyObject* base) {
        static PyMemberDef members[] = {
            {"__weaklistoffset__", T_PYSSIZET, offsetof(Self, weak_references), READONLY, nullptr},
            {nullptr, 0, 0, 0, nullptr},
        };
        static PyGetSetDef properties[] = {
            {"capacity", capacity, nullptr,
             "Bound of the number of items; None where there is none.", nullptr},
            {"maxsize", maxsize, nullptr, "capacity as queue.Queue says it: 0 where there is none.",
             nullptr},
            {"is_shut_down", is_shut_down, nullptr, "Whether shutdown() was called.", nullptr},
            {nullptr, nullptr, nullptr, nullptr, nullptr},
        };
        PyType_Slot slots[] = {
            {Py_tp_doc, const_cast<char*>(documentation)},
            {Py_tp_new, reinterpret_cast<void*>(create)},
            {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
            {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
            {Py_tp_clear, reinterpret_cast<void*>(drop)},
            {Py_tp_methods, Methods<Adapter>::table()},
            {Py_tp_members, members},
            {Py_tp_getset, properties},
            {0, nullptr},
        };
        PyType_Spec spec{name, static_cast<int>(sizeof(Self)), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
        PyObject* const type = PyType_FromSpecWithBases(&spec, base);
        if (type == nullptr) throw nb::python_error();
        return type;
    }

  private:
    static PyObject* create(PyTypeObject* type, PyObject* positional, PyObject* named) noexcept {
        std::size_t capacity = 0;
        if (!parse(positional, named, capacity)) return nullptr;
        const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
        PyObject* const object = allocate(type, 0);
        if (object == nullptr) return nullptr;
        Self& self = Self::of(object);
        new (&self.items) Waiters;
        new (&self.room) Waiters;
        new (&self.shut_down) std::atomic<bool>(false);
        try {
            if constexpr (Adapter::kBounded) {
                self.adapter = new Adapter(capacity);
            } else {
                self.adapter = new Adapter();
            }
        } catch (...) {
            set_error();
            Py_DECREF(object);
            return nullptr;
        }
        return object;
    }
    static bool parse(PyObject* positional, PyObject* named, std::size_t& capacity) noexcept {
        const Py_ssize_t count = PyTuple_Size(positional);
        const Py_ssize_t keywords = named == nullptr ? 0 : PyDict_Size(named);
        if constexpr (!Adapter::kBounded) {
            if (count + keywords == 0) return true;
            PyErr_SetString(PyExc_TypeError, "takes no arguments: there is no bound");
            return false;
        } else {
            PyObject* argument = count == 1 ? PyTuple_GetItem(positional, 0) : nullptr;
            if (count == 0 && keywords == 1) argument = PyDict_GetItemString(named, "capacity");
            if (argument == nullptr || count + keywords != 1) {
                PyErr_SetString(PyExc_TypeError, "takes one argument, capacity");
                return false;
            }
            return to_count(argument, "capacity", 1, capacity);
        }
    }
    static void destroy(PyObject* object) noexcept {
        PyTypeObject* const type = Py_TYPE(object);
        PyObject_GC_UnTrack(object);
        Self& self = Self::of(object);
        if (self.weak_references != nullptr) PyObject_ClearWeakRefs(object);
        drop(object);
        delete self.adapter;
        self.items.~Waiters();
        self.room.~Waiters();
        reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
        Py_DECREF(reinterpret_cast<PyObject*>(type));
    }
    // All threads stand still meanwhile, also without a GIL.
    static int traverse(PyObject* object, visitproc visit, void* arg) noexcept {
        Py_VISIT(Py_TYPE(object));
        const Self& self = Self::of(object);
        if (self.adapter == nullptr) return 0;
        int result = 0;
        self.adapter->for_each([&](PyObject* item) {
            if (result == 0) result = visit(item, arg);
        });
        return result;
    }
    static int drop(PyObject* object) noexcept {
        Self& self = Self::of(object);
        if (self.adapter == nullptr) return 0;
        while (PyObject* const item = self.adapter->try_get()) Py_DECREF(item);
        return 0;
    }

    static PyObject* capacity(PyObject* object, void*) noexcept {
        if constexpr (Adapter::kBounded) {
            return PyLong_FromSize_t(Self::of(object).adapter->capacity());
        }
        Py_RETURN_NONE;
    }
    static PyObject* maxsize(PyObject* object, void*) noexcept {
        if constexpr (Adapter::kBounded) return capacity(object, nullptr);
        return PyLong_FromLong(0);
    }
    static PyObject* is_shut_down(PyObject* object, void*) noexcept {
        return PyBool_FromLong(Self::of(object).is_shut_down());
    }
};

}  // namespace dwcp::bindings::lockfree
