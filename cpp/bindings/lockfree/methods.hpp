// The methods of the Python types, written against the C interface: a call must cost next to
// nothing.
#pragma once

#include <algorithm>
#include <array>

#include "fastcall.hpp"
#include "lockfree/documentation.hpp"
#include "lockfree/structure.hpp"

namespace dwcp::bindings::lockfree {

template <typename Adapter>
struct Methods {
    using Self = Structure<Adapter>;

    // ---- putting

    static PyObject* put(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* keywords) noexcept {
        PyObject* bound[3] = {};
        if (count == 1 && keywords == nullptr) {
            bound[0] = arguments[0];
        } else {
            constexpr std::array names{"item", "block", "timeout"};
            if (!fastcall::bind({"put()", names, 1}, arguments, count, keywords, bound)) {
                return nullptr;
            }
        }
        return put_within(Self::of(object), bound[0], bound[1], bound[2]);
    }
    static PyObject* put_nowait(PyObject* object, PyObject* item) noexcept {
        return put_within(Self::of(object), item, Py_False, nullptr);
    }
    static PyObject* put_within(Self& self, PyObject* item, PyObject* block,
                                PyObject* timeout) noexcept {
        try {
            if (!self.is_shut_down()) {
                Py_INCREF(item);
                Unput unput{item};
                if (self.try_put(item)) return unput.none();
            }
            Patience patience;
            if (!patience.parse(block, timeout)) return nullptr;
            Py_INCREF(item);
            Unput unput{item};
            if (!self.wait_until(true, patience, [&] { return self.try_put(item); })) {
                return nullptr;
            }
            return unput.none();
        } catch (...) {
            return set_error();
        }
    }
    static PyObject* try_put(PyObject* object, PyObject* item) noexcept {
        Self& self = Self::of(object);
        try {
            if (self.is_shut_down()) Py_RETURN_FALSE;
            Py_INCREF(item);
            Unput unput{item};
            if (!self.try_put(item)) Py_RETURN_FALSE;
            unput.item = nullptr;
            Py_RETURN_TRUE;
        } catch (...) {
            return set_error();
        }
    }
    static PyObject* put_many(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* keywords) noexcept {
        constexpr std::array names{"items", "block", "timeout"};
        PyObject* bound[3] = {};
        Patience patience;
        if (!fastcall::bind({"put_many()", names, 1}, arguments, count, keywords, bound) ||
            !patience.parse(bound[1], bound[2])) {
            return nullptr;
        }
        // A copy: the items must stay the same while this waits.
        PyObject* const items = PySequence_Tuple(bound[0]);
        if (items == nullptr) return nullptr;
        PyObject* const result = put_tuple(Self::of(object), items, patience);
        Py_DECREF(items);
        return result;
    }
    static PyObject* put_tuple(Self& self, PyObject* items, const Patience& patience) noexcept {
        const auto all = static_cast<std::size_t>(PyTuple_Size(items));
        std::size_t done = 0;
        const auto attempt = [&] {
            const std::size_t put = self.adapter->put_many(References{items, done}, all - done);
            if (put > 0) self.items.notify(static_cast<int>(std::min<std::size_t>(put, 1 << 20)));
            done += put;
            return done == all;
        };
        try {
            const bool now = !self.is_shut_down() && attempt();
            if (!now && !self.wait_until(true, patience, attempt)) {
                // How far it came is the answer, unless it came nowhere because of a shutdown or a
                // signal.
                if (PyErr_ExceptionMatches(exceptions.full) == 0 &&
                    (done == 0 || PyErr_ExceptionMatches(exceptions.shut_down) == 0)) {
                    return nullptr;
                }
                PyErr_Clear();
            }
            return PyLong_FromSize_t(done);
        } catch (...) {
            return set_error();
        }
    }

    // ---- getting

    static PyObject* get(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* keywords) noexcept {
        PyObject* bound[2] = {};
        if (count != 0 || keywords != nullptr) {
            constexpr std::array names{"block", "timeout"};
            if (!fastcall::bind({"get()", names, 0}, arguments, count, keywords, bound)) {
                return nullptr;
            }
        }
        return get_within(Self::of(object), bound[0], bound[1]);
    }
    static PyObject* get_nowait(PyObject* object, PyObject*) noexcept {
        return get_within(Self::of(object), Py_False, nullptr);
    }
    static PyObject* get_within(Self& self, PyObject* block, PyObject* timeout) noexcept {
        try {
            if (PyObject* const item = self.try_get()) return item;
            Patience patience;
            if (!patience.parse(block, timeout)) return nullptr;
            PyObject* item = nullptr;
            self.wait_until(false, patience, [&] { return (item = self.try_get()) != nullptr; });
            return item;
        } catch (...) {
            return set_error();
        }
    }
    static PyObject* try_get(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                             PyObject* keywords) noexcept {
        PyObject* bound[1] = {};
        if (count != 0 || keywords != nullptr) {
            constexpr std::array names{"default"};
            if (!fastcall::bind({"try_get()", names, 0}, arguments, count, keywords, bound)) {
                return nullptr;
            }
        }
        if (PyObject* const item = Self::of(object).try_get()) return item;
        PyObject* const result = bound[0] == nullptr ? Py_None : bound[0];
        Py_INCREF(result);
        return result;
    }
    static PyObject* get_many(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* keywords) noexcept {
        constexpr std::array names{"max", "block", "timeout"};
        PyObject* bound[3] = {};
        std::size_t max = 0;
        Patience patience;
        if (!fastcall::bind({"get_many()", names, 1}, arguments, count, keywords, bound) ||
            !to_count(bound[0], "max", 1, max) || !patience.parse(bound[1], bound[2])) {
            return nullptr;
        }
        Self& self = Self::of(object);
        try {
            PyObject* list = some(self, max);
            if (list != nullptr || PyErr_Occurred() != nullptr) return list;
            self.wait_until(false, patience, [&] {
                list = some(self, max);
                return list != nullptr || PyErr_Occurred() != nullptr;
            });
            return list;
        } catch (...) {
            return set_error();
        }
    }
    // A list of what is there, at most `max`; nullptr without an exception when nothing is.
    static PyObject* some(Self& self, std::size_t max) {
        // The list comes first: when there is no memory for it, nothing is lost.
        const std::size_t wanted = std::min(max, std::max<std::size_t>(self.adapter->size(), 1));
        PyObject* const list = PyList_New(static_cast<Py_ssize_t>(wanted));
        if (list == nullptr) return nullptr;
        const std::size_t got = self.adapter->get_many(Places{list, 0}, wanted);
        if (got == 0) {
            Py_DECREF(list);
            return nullptr;
        }
        if (Adapter::kBounded)
            self.room.notify(static_cast<int>(std::min<std::size_t>(got, 1 << 20)));
        if (got < wanted && PyList_SetSlice(list, static_cast<Py_ssize_t>(got),
                                            static_cast<Py_ssize_t>(wanted), nullptr) != 0) {
            Py_DECREF(list);
            return nullptr;
        }
        return list;
    }
    static PyObject* peek(PyObject* object, PyObject*) noexcept {
        PyObject* const item = Self::of(object).adapter->peek();
        if (item == nullptr) PyErr_SetNone(exceptions.empty);
        return item;
    }

    // ---- the rest

    static PyObject* qsize(PyObject* object, PyObject*) noexcept {
        return PyLong_FromSize_t(Self::of(object).adapter->size());
    }
    static PyObject* empty(PyObject* object, PyObject*) noexcept {
        return PyBool_FromLong(Self::of(object).adapter->size() == 0);
    }
    static PyObject* full(PyObject* object, PyObject*) noexcept {
        if constexpr (Adapter::kBounded) {
            const Adapter& adapter = *Self::of(object).adapter;
            return PyBool_FromLong(adapter.size() == adapter.capacity());
        }
        Py_RETURN_FALSE;
    }
    static PyObject* clear(PyObject* object, PyObject*) noexcept {
        Self& self = Self::of(object);
        while (PyObject* const item = self.try_get()) Py_DECREF(item);
        Py_RETURN_NONE;
    }
    static PyObject* shutdown(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* keywords) noexcept {
        constexpr std::array names{"immediate"};
        PyObject* bound[1] = {};
        if (!fastcall::bind({"shutdown()", names, 0}, arguments, count, keywords, bound)) {
            return nullptr;
        }
        const int immediate = bound[0] == nullptr ? 0 : PyObject_IsTrue(bound[0]);
        if (immediate < 0) return nullptr;
        Self& self = Self::of(object);
        self.shut_down.store(true, std::memory_order_seq_cst);
        if (immediate != 0) Py_DECREF(clear(object, nullptr));
        self.items.notify(Waiters::kAll);
        self.room.notify(Waiters::kAll);
        Py_RETURN_NONE;
    }
    // (fd, for_room): for the event loops of dwcp.lockfree.
    static PyObject* add_listener(PyObject* object, PyObject* arguments) noexcept {
        int fd = -1;
        int room = 0;
        if (PyArg_ParseTuple(arguments, "ip", &fd, &room) == 0) return nullptr;
        Self& self = Self::of(object);
        try {
            (room != 0 ? self.room : self.items).add_listener(fd);
        } catch (...) {
            return set_error();
        }
        Py_RETURN_NONE;
    }
    static PyObject* remove_listener(PyObject* object, PyObject* arguments) noexcept {
        int fd = -1;
        int room = 0;
        if (PyArg_ParseTuple(arguments, "ip", &fd, &room) == 0) return nullptr;
        Self& self = Self::of(object);
        if (!(room != 0 ? self.room : self.items).remove_listener(fd)) {
            PyErr_Format(PyExc_ValueError, "fd %d is no listener", fd);
            return nullptr;
        }
        Py_RETURN_NONE;
    }

    static PyMethodDef* table() noexcept {
        using fastcall::method;
        static PyMethodDef methods[] = {
            method("put", put, doc::kPut),
            {"put_nowait", put_nowait, METH_O, doc::kPutNowait},
            {"try_put", try_put, METH_O, doc::kTryPut},
            method("put_many", put_many, doc::kPutMany),
            method("get", get, doc::kGet),
            {"get_nowait", get_nowait, METH_NOARGS, doc::kGetNowait},
            method("try_get", try_get, doc::kTryGet),
            method("get_many", get_many, doc::kGetMany),
            {"peek", peek, METH_NOARGS, doc::kPeek},
            {"qsize", qsize, METH_NOARGS, doc::kQsize},
            {"empty", empty, METH_NOARGS, doc::kEmpty},
            {"full", full, METH_NOARGS, doc::kFull},
            {"clear", clear, METH_NOARGS, doc::kClear},
            method("shutdown", shutdown, doc::kShutdown),
            {"_add_listener", add_listener, METH_VARARGS, doc::kAddListener},
            {"_remove_listener", remove_listener, METH_VARARGS, doc::kRemoveListener},
            {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, doc::kClassGetItem},
            {nullptr, nullptr, 0, nullptr},
        };
        return methods;
    }

  private:
    // A reference that is given back unless the structure has taken it over.
    struct Unput {
        PyObject* item;
        PyObject* none() noexcept {
            item = nullptr;
            Py_RETURN_NONE;
        }
        ~Unput() { Py_XDECREF(item); }
    };
    // New references to the items of a tuple, made as they are read.
    struct References {
        PyObject* tuple;
        std::size_t place;
        PyObject* operator*() const noexcept {
            PyObject* const item = PyTuple_GetItem(tuple, static_cast<Py_ssize_t>(place));
            Py_INCREF(item);
            return item;
        }
        References& operator++() noexcept {
            ++place;
            return *this;
        }
    };
    // The places of a new list, which takes the references over.
    struct Places {
        PyObject* list;
        Py_ssize_t place;
        struct Place {
            PyObject* list;
            Py_ssize_t place;
            void operator=(PyObject* item) const noexcept { PyList_SetItem(list, place, item); }
        };
        Place operator*() const noexcept { return {list, place}; }
        Places& operator++() noexcept {
            ++place;
            return *this;
        }
    };
};

}  // namespace dwcp::bindings::lockfree
