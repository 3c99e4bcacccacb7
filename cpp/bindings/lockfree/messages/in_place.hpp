// A message in the memory of a channel, while a `with` block works on it.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <new>
#include <optional>
#include <type_traits>

#include "lockfree/messages/channel.hpp"

namespace dwcp::bindings::lockfree::messages {

template <typename Adapter, typename Message>
struct InPlace {
    static constexpr bool kWriting = std::is_same_v<Message, typename Adapter::Writing>;

    PyObject object;
    PyObject* channel;
    bool is_user;    // of the channel: as long as somebody may look into its memory
    PyObject* view;  // that the block works with
    std::atomic<int> exports;
    std::optional<Message> message;

    static InPlace& of(PyObject* self) noexcept { return *reinterpret_cast<InPlace*>(self); }

    // A new reference; nullptr with an exception set.
    static PyObject* make(PyTypeObject* type, PyObject* channel, Message&& message) noexcept {
        const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
        PyObject* const object = allocate(type, 0);
        if (object == nullptr) return nullptr;
        InPlace& self = of(object);
        Py_INCREF(channel);
        self.channel = channel;
        Channel<Adapter>::of(channel).users.add(1);
        self.is_user = true;
        new (&self.exports) std::atomic<int>(0);
        new (&self.message) std::optional<Message>(std::move(message));
        return object;
    }

    static PyTypeObject* make_type(const char* name, const char* documentation) {
        static PyMethodDef methods[] = {
            {"__enter__", enter, METH_NOARGS, "The memory of the message, as a memoryview."},
            {"__exit__", exit, METH_VARARGS,
             "Put or take the message, unless an exception ends the block."},
            {nullptr, nullptr, 0, nullptr},
        };
        PyType_Slot slots[] = {
            {Py_tp_doc, const_cast<char*>(documentation)},
            {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
            {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
            {Py_tp_clear, reinterpret_cast<void*>(clear)},
            {Py_tp_methods, methods},
            {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
            {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
            {0, nullptr},
        };
        PyType_Spec spec{
            name, static_cast<int>(sizeof(InPlace)), 0,
            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
        PyObject* const type = PyType_FromSpec(&spec);
        if (type == nullptr) throw nb::python_error();
        return reinterpret_cast<PyTypeObject*>(type);
    }

  private:
    // Gives the message back, or what is left of it.
    void end() noexcept {
        message.reset();
        if (is_user && exports.load() == 0) {
            is_user = false;
            Channel<Adapter>::of(channel).drop_user();
        }
    }
    std::span<const std::byte> bytes() const {
        if constexpr (kWriting) {
            return message->room();
        } else {
            return message->data();
        }
    }

    static PyObject* enter(PyObject* object, PyObject*) noexcept {
        InPlace& self = of(object);
        PyObject* const view = PyMemoryView_FromObject(object);
        if (view == nullptr) return nullptr;
        Py_XDECREF(std::exchange(self.view, view));
        Py_INCREF(view);
        return view;
    }
    static PyObject* exit(PyObject* object, PyObject* arguments) noexcept {
        InPlace& self = of(object);
        PyObject* type = nullptr;
        PyObject* value = nullptr;
        PyObject* traceback = nullptr;
        if (PyArg_ParseTuple(arguments, "OOO", &type, &value, &traceback) == 0) return nullptr;
        if (!self.message) Py_RETURN_NONE;
        PyObject* const view = std::exchange(self.view, nullptr);
        if (view != nullptr) {
            PyObject* const released = PyObject_CallMethod(view, "release", nullptr);
            Py_DECREF(view);
            if (released == nullptr) {
                self.end();
                return nullptr;
            }
            Py_DECREF(released);
        }
        if (self.exports.load() != 0) {
            self.end();
            PyErr_SetString(PyExc_BufferError,
                            "something still uses the memory of the message: copy what is to stay");
            return nullptr;
        }
        if (type == Py_None) {
            try {
                if constexpr (kWriting) {
                    self.message->commit(self.message->room().size());
                } else {
                    self.message->consume();
                }
            } catch (...) {
                self.end();
                return set_error();
            }
        }
        self.end();
        Py_RETURN_NONE;
    }

    static void destroy(PyObject* object) noexcept {
        PyTypeObject* const type = Py_TYPE(object);
        PyObject_GC_UnTrack(object);
        InPlace& self = of(object);
        self.end();
        Py_XDECREF(self.view);
        Py_XDECREF(self.channel);
        reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
        Py_DECREF(reinterpret_cast<PyObject*>(type));
    }
    static int traverse(PyObject* object, visitproc visit, void* arg) noexcept {
        Py_VISIT(Py_TYPE(object));
        Py_VISIT(of(object).channel);
        Py_VISIT(of(object).view);
        return 0;
    }
    static int clear(PyObject* object) noexcept {
        Py_XDECREF(std::exchange(of(object).view, nullptr));
        return 0;
    }

    static int get_buffer(PyObject* object, Py_buffer* view, int flags) noexcept {
        InPlace& self = of(object);
        if (!self.message) {
            view->obj = nullptr;
            PyErr_SetString(PyExc_BufferError, "the block of this message has ended");
            return -1;
        }
        static std::byte empty;
        const std::span<const std::byte> bytes = self.bytes();
        void* const data = const_cast<std::byte*>(bytes.empty() ? &empty : bytes.data());
        const int result = PyBuffer_FillInfo(
            view, object, data, static_cast<Py_ssize_t>(bytes.size()), kWriting ? 0 : 1, flags);
        if (result == 0) self.exports.fetch_add(1);
        return result;
    }
    static void release_buffer(PyObject* object, Py_buffer*) noexcept {
        InPlace& self = of(object);
        if (self.exports.fetch_sub(1) == 1 && !self.message) self.end();
    }
};

}  // namespace dwcp::bindings::lockfree::messages
