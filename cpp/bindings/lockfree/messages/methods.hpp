// The methods of the types that pass on messages, written against the C interface: a call must cost
// next to nothing.
#pragma once

#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "buffer.hpp"
#include "fastcall.hpp"
#include "lockfree/messages/documentation.hpp"
#include "lockfree/messages/in_place.hpp"

namespace dwcp::bindings::lockfree::messages {

template <typename Adapter>
struct Methods {
    using Self = Channel<Adapter>;
    using Writing = typename Adapter::Writing;
    using Reading = typename Adapter::Reading;
    using InPlaceWriting = InPlace<Adapter, Writing>;
    using InPlaceReading = InPlace<Adapter, Reading>;

    // Set once, when the module is made; they live as long as the process.
    static inline PyTypeObject* writing_type = nullptr;
    static inline PyTypeObject* reading_type = nullptr;

    // ---- putting

    static PyObject* put(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* keywords) noexcept {
        PyObject* bound[3] = {};
        if (count == 1 && keywords == nullptr) {
            bound[0] = arguments[0];
        } else {
            constexpr std::array names{"data", "block", "timeout"};
            if (!fastcall::bind({"put()", names, 1}, arguments, count, keywords, bound)) {
                return nullptr;
            }
        }
        return put_within(object, bound[0], bound[1], bound[2]);
    }
    static PyObject* put_nowait(PyObject* object, PyObject* data) noexcept {
        return put_within(object, data, Py_False, nullptr);
    }
    static PyObject* put_within(PyObject* object, PyObject* data, PyObject* block,
                                PyObject* timeout) noexcept {
        const Use<Adapter> use(Self::of(object));
        Patience patience;
        if (!use.check() || !patience.parse(block, timeout)) return nullptr;
        try {
            if (!put_one(*use, data, patience)) return nullptr;
        } catch (...) {
            return set_error();
        }
        Py_RETURN_NONE;
    }
    static PyObject* try_put(PyObject* object, PyObject* data) noexcept {
        const Use<Adapter> use(Self::of(object));
        fastcall::View view;
        if (!use.check() || !view.acquire(data, "data")) return nullptr;
        try {
            std::optional<Writing> writing = use->try_reserve(view.size());
            if (!writing) Py_RETURN_FALSE;
            fill(*writing, view.bytes());
        } catch (...) {
            return set_error();
        }
        Py_RETURN_TRUE;
    }
    static PyObject* put_many(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* keywords) noexcept {
        constexpr std::array names{"items", "block", "timeout"};
        PyObject* bound[3] = {};
        const Use<Adapter> use(Self::of(object));
        Patience patience;
        if (!use.check() ||
            !fastcall::bind({"put_many()", names, 1}, arguments, count, keywords, bound) ||
            !patience.parse(bound[1], bound[2])) {
            return nullptr;
        }
        // A copy: the items must stay the same while this waits.
        PyObject* const items = PySequence_Tuple(bound[0]);
        if (items == nullptr) return nullptr;
        const Py_ssize_t all = PyTuple_Size(items);
        Py_ssize_t done = 0;
        try {
            while (done < all && put_one(*use, PyTuple_GetItem(items, done), patience)) ++done;
        } catch (...) {
            set_error();
        }
        Py_DECREF(items);
        if (done < all) {
            // How far it came is the answer, unless it came nowhere because of a shutdown, or
            // something else is wrong.
            const bool is_answer = PyErr_ExceptionMatches(exceptions.full) != 0 ||
                                   (done > 0 && PyErr_ExceptionMatches(exceptions.shut_down) != 0);
            if (!is_answer) return nullptr;
            PyErr_Clear();
        }
        return PyLong_FromSsize_t(done);
    }
    static PyObject* reserve(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                             PyObject* keywords) noexcept {
        constexpr std::array names{"size", "block", "timeout"};
        PyObject* bound[3] = {};
        const Use<Adapter> use(Self::of(object));
        std::size_t size = 0;
        Patience patience;
        if (!use.check() ||
            !fastcall::bind({"reserve()", names, 1}, arguments, count, keywords, bound) ||
            !to_count(bound[0], "size", 0, size) || !patience.parse(bound[1], bound[2])) {
            return nullptr;
        }
        try {
            std::optional<Writing> writing = use->try_reserve(size);
            if (!writing && !wait_for_room(*use, size, patience, writing)) return nullptr;
            return InPlaceWriting::make(writing_type, object, std::move(*writing));
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
        return get_within(object, bound[0], bound[1]);
    }
    static PyObject* get_nowait(PyObject* object, PyObject*) noexcept {
        return get_within(object, Py_False, nullptr);
    }
    static PyObject* get_within(PyObject* object, PyObject* block, PyObject* timeout) noexcept {
        const Use<Adapter> use(Self::of(object));
        Patience patience;
        if (!use.check() || !patience.parse(block, timeout)) return nullptr;
        try {
            std::optional<Reading> reading;
            if (!read_one(*use, patience, reading)) return nullptr;
            return take(*reading);
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
        const Use<Adapter> use(Self::of(object));
        if (!use.check()) return nullptr;
        try {
            std::optional<Reading> reading = use->try_read();
            if (reading) return take(*reading);
        } catch (...) {
            return set_error();
        }
        PyObject* const result = bound[0] == nullptr ? Py_None : bound[0];
        Py_INCREF(result);
        return result;
    }
    static PyObject* get_into(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* keywords) noexcept {
        constexpr std::array names{"out", "block", "timeout"};
        PyObject* bound[3] = {};
        const Use<Adapter> use(Self::of(object));
        Patience patience;
        fastcall::View out;
        if (!use.check() ||
            !fastcall::bind({"get_into()", names, 1}, arguments, count, keywords, bound) ||
            !patience.parse(bound[1], bound[2]) || !out.acquire<true>(bound[0], "out") ||
            !out.keep<true>(bound[0], "out")) {
            return nullptr;
        }
        try {
            std::optional<Reading> reading;
            if (!read_one(*use, patience, reading)) return nullptr;
            const std::size_t size = reading->data().size();
            if (size > out.size()) {
                PyErr_Format(PyExc_ValueError,
                             "out must have at least %zu bytes for this message, but has %zu", size,
                             out.size());
                return nullptr;
            }
            copy(out.writable_bytes().data(), reading->data());
            reading->consume();
            return PyLong_FromSize_t(size);
        } catch (...) {
            return set_error();
        }
    }
    static PyObject* get_many(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* keywords) noexcept {
        constexpr std::array names{"max", "block", "timeout"};
        PyObject* bound[3] = {};
        const Use<Adapter> use(Self::of(object));
        std::size_t max = 0;
        Patience patience;
        if (!use.check() ||
            !fastcall::bind({"get_many()", names, 1}, arguments, count, keywords, bound) ||
            !to_count(bound[0], "max", 1, max) || !patience.parse(bound[1], bound[2])) {
            return nullptr;
        }
        // It comes first: when there is no memory for it, nothing is lost.
        PyObject* const list = PyList_New(0);
        if (list == nullptr) return nullptr;
        try {
            std::optional<Reading> reading;
            bool good = read_one(*use, patience, reading);
            for (std::size_t got = 0; good && reading;) {
                good = append(list, *reading);
                reading.reset();
                if (good && ++got < max) next(*use, reading);
            }
            if (good) return list;
        } catch (...) {
            // What was taken before it is the answer; the next call meets it again.
            if (PyList_Size(list) > 0) return list;
            set_error();
        }
        Py_DECREF(list);
        return nullptr;
    }
    static PyObject* read(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                          PyObject* keywords) noexcept {
        constexpr std::array names{"block", "timeout"};
        PyObject* bound[2] = {};
        const Use<Adapter> use(Self::of(object));
        Patience patience;
        if (!use.check() ||
            !fastcall::bind({"read()", names, 0}, arguments, count, keywords, bound) ||
            !patience.parse(bound[0], bound[1])) {
            return nullptr;
        }
        try {
            std::optional<Reading> reading;
            if (!read_one(*use, patience, reading)) return nullptr;
            return InPlaceReading::make(reading_type, object, std::move(*reading));
        } catch (...) {
            return set_error();
        }
    }

    // ---- the rest

    // (room, seconds), for event loops.
    static PyObject* wait(PyObject* object, PyObject* arguments) noexcept {
        PyObject* room = nullptr;
        PyObject* seconds = nullptr;
        std::size_t size = 0;
        Patience patience;
        const Use<Adapter> use(Self::of(object));
        if (!use.check() || PyArg_ParseTuple(arguments, "OO", &room, &seconds) == 0 ||
            (room != Py_None && !to_count(room, "room", 0, size)) ||
            !patience.parse(nullptr, seconds)) {
            return nullptr;
        }
        const bool putting = room != Py_None;
        const auto attempt = [&] { return putting ? use->has_room(size) : use->has_message(); };
        try {
            if (attempt() || use->wait_until(putting, patience, attempt)) Py_RETURN_TRUE;
        } catch (...) {
            return set_error();
        }
        if (PyErr_ExceptionMatches(exceptions.full) == 0 &&
            PyErr_ExceptionMatches(exceptions.empty) == 0) {
            return nullptr;
        }
        PyErr_Clear();
        Py_RETURN_FALSE;
    }
    static PyObject* qsize(PyObject* object, PyObject*) noexcept {
        const Use<Adapter> use(Self::of(object));
        return use.check() ? PyLong_FromUnsignedLongLong(use->messages()) : nullptr;
    }
    static PyObject* empty(PyObject* object, PyObject*) noexcept {
        const Use<Adapter> use(Self::of(object));
        return use.check() ? PyBool_FromLong(use->empty()) : nullptr;
    }
    static PyObject* full(PyObject* object, PyObject*) noexcept {
        const Use<Adapter> use(Self::of(object));
        return use.check() ? PyBool_FromLong(!use->has_room(0)) : nullptr;
    }
    static PyObject* clear(PyObject* object, PyObject*) noexcept {
        const Use<Adapter> use(Self::of(object));
        if (!use.check() || !drop_all(*use)) return nullptr;
        Py_RETURN_NONE;
    }
    static PyObject* shutdown(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* keywords) noexcept {
        constexpr std::array names{"immediate"};
        PyObject* bound[1] = {};
        const Use<Adapter> use(Self::of(object));
        if (!use.check() ||
            !fastcall::bind({"shutdown()", names, 0}, arguments, count, keywords, bound)) {
            return nullptr;
        }
        const int immediate = bound[0] == nullptr ? 0 : PyObject_IsTrue(bound[0]);
        if (immediate < 0) return nullptr;
        use->shutdown();
        if (immediate != 0 && !drop_all(*use)) return nullptr;
        Py_RETURN_NONE;
    }
    static PyObject* close(PyObject* object, PyObject*) noexcept {
        Self::of(object).close();
        Py_RETURN_NONE;
    }

    static PyMethodDef* table() noexcept {
        using fastcall::method;
        static PyMethodDef methods[] = {
            method("put", put, doc::kPut),
            {"put_nowait", put_nowait, METH_O, doc::kPutNowait},
            {"try_put", try_put, METH_O, doc::kTryPut},
            method("put_many", put_many, doc::kPutMany),
            method("reserve", reserve, doc::kReserve),
            method("get", get, doc::kGet),
            {"get_nowait", get_nowait, METH_NOARGS, doc::kGetNowait},
            method("try_get", try_get, doc::kTryGet),
            method("get_into", get_into, doc::kGetInto),
            method("get_many", get_many, doc::kGetMany),
            method("read", read, doc::kRead),
            {"qsize", qsize, METH_NOARGS, doc::kQsize},
            {"empty", empty, METH_NOARGS, doc::kEmpty},
            {"full", full, METH_NOARGS, doc::kFull},
            {"clear", clear, METH_NOARGS, doc::kClear},
            method("shutdown", shutdown, doc::kShutdown),
            {"close", close, METH_NOARGS, doc::kClose},
            {"_wait", wait, METH_VARARGS, doc::kWait},
            {nullptr, nullptr, 0, nullptr},
        };
        return methods;
    }

  private:
    static void copy(std::byte* to, std::span<const std::byte> from) {
        if (from.empty()) return;
        without_gil(from.size(), [&] {
            std::memcpy(to, from.data(), from.size());
            return 0;
        });
    }
    static void fill(Writing& writing, std::span<const std::byte> bytes) {
        copy(writing.room().data(), bytes);
        writing.commit(bytes.size());
    }
    static bool put_one(Adapter& adapter, PyObject* data, const Patience& patience) {
        fastcall::View view;
        if (!view.acquire(data, "data")) return false;
        std::optional<Writing> writing = adapter.try_reserve(view.size());
        if (!writing &&
            (!view.keep(data, "data") || !wait_for_room(adapter, view.size(), patience, writing))) {
            return false;
        }
        fill(*writing, view.bytes());
        return true;
    }
    static bool wait_for_room(Adapter& adapter, std::size_t size, const Patience& patience,
                              std::optional<Writing>& writing) {
        return adapter.wait_until(true, patience, [&] {
            auto found = adapter.try_reserve(size);
            if (found) writing.emplace(std::move(*found));
            return writing.has_value();
        });
    }
    static void next(Adapter& adapter, std::optional<Reading>& reading) {
        auto found = adapter.try_read();
        if (found) reading.emplace(std::move(*found));
    }
    static bool read_one(Adapter& adapter, const Patience& patience,
                         std::optional<Reading>& reading) {
        const auto attempt = [&] {
            next(adapter, reading);
            return reading.has_value();
        };
        return attempt() || adapter.wait_until(false, patience, attempt);
    }
    // A new reference to bytes; the message stays when there is no memory.
    static PyObject* take(Reading& reading) {
        const std::span<const std::byte> data = reading.data();
        const auto size = static_cast<Py_ssize_t>(data.size());
        PyObject* message = nullptr;
        if (data.size() < kReleaseBytesMin) {
            message = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data.data()), size);
            if (message == nullptr) return nullptr;
        } else {
            message = PyBytes_FromStringAndSize(nullptr, size);
            if (message == nullptr) return nullptr;
            copy(reinterpret_cast<std::byte*>(PyBytes_AsString(message)), data);
        }
        reading.consume();
        return message;
    }
    static bool append(PyObject* list, Reading& reading) {
        PyObject* const message = take(reading);
        if (message == nullptr) return false;
        const int status = PyList_Append(list, message);
        Py_DECREF(message);
        return status == 0;
    }
    static bool drop_all(Adapter& adapter) noexcept {
        try {
            std::optional<Reading> reading;
            for (next(adapter, reading); reading; next(adapter, reading)) {
                reading->consume();
                reading.reset();
            }
            return true;
        } catch (...) {
            set_error();
            return false;
        }
    }
};

}  // namespace dwcp::bindings::lockfree::messages
