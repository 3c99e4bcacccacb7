#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "buffer.hpp"
#include "errors.hpp"
#include "fastcall.hpp"
#include "integers.hpp"
#include "memory/buffer.hpp"
#include "placing.hpp"
#include "topics.hpp"

namespace dwcp::bindings {

namespace memory {

namespace {

using dwcp::memory::BufferPool;
using dwcp::memory::PoolCounts;
using dwcp::memory::PoolOptions;

constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 46;

// False with an exception set; as numa.allocate, it binds where nothing else is said.
bool to_placing(PyObject* placing, PyObject* nodes, PoolOptions& options) {
    if (nodes != Py_None) {
        options.placing = os::Placing::kBind;
        options.nodes.resize(1);
        if (!nb::try_cast(nb::handle(nodes), options.nodes[0]) &&
            !nb::try_cast(nb::handle(nodes), options.nodes)) {
            PyErr_Format(PyExc_TypeError,
                         "nodes must be the number of a memory node or a list of them, not %R",
                         nodes);
            return false;
        }
    }
    if (placing != Py_None) {
        std::string name;
        if (!nb::try_cast(nb::handle(placing), name)) {
            PyErr_Format(PyExc_TypeError, "placing must be a str or None, not %R", placing);
            return false;
        }
        options.placing = bindings::to_placing(name);
    }
    return true;
}

PyObject* create(PyTypeObject* type, PyObject* positional, PyObject* named) noexcept {
    static const char* names[] = {"limit_bytes", "zero", "huge_pages", "placing", "nodes", nullptr};
    PyObject* limit = Py_None;
    PyObject* placing = Py_None;
    PyObject* nodes = Py_None;
    int zero = 0;
    int huge_pages = 0;
    if (PyArg_ParseTupleAndKeywords(positional, named, "|$OppOO:BufferPool",
                                    const_cast<char**>(names), &limit, &zero, &huge_pages, &placing,
                                    &nodes) == 0) {
        return nullptr;
    }
    PoolOptions options{.zero = zero != 0, .huge_pages = huge_pages != 0};
    if (limit != Py_None) {
        std::uint64_t value = 0;
        if (!to_bounded(limit, "limit_bytes", kSizeMax, value)) return nullptr;
        options.limit_bytes = value;
    }
    try {
        if (!to_placing(placing, nodes, options)) return nullptr;
    } catch (...) {
        return set_error();
    }
    const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
    PyObject* const object = allocate(type, 0);
    if (object == nullptr) return nullptr;
    new (&Pool::of(object).closed) std::atomic<bool>(false);
    try {
        Pool::of(object).pool = new BufferPool(options);
    } catch (...) {
        set_error();
        Py_DECREF(object);
        return nullptr;
    }
    return object;
}

void destroy(PyObject* object) noexcept {
    PyTypeObject* const type = Py_TYPE(object);
    delete Pool::of(object).pool;
    reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(reinterpret_cast<PyObject*>(type));
}

bool check_open(const Pool& self) noexcept {
    if (!self.closed.load(std::memory_order_relaxed)) return true;
    set_dwcp_error("Closed", "the buffer pool was closed");
    return false;
}

// Touching the pages of new memory, and clearing, take long only for large buffers.
void* take(const Pool& self, std::size_t size) {
    if (size <= dwcp::memory::kLargestClassBytes) return self.pool->get(size);
    const nb::gil_scoped_release release;
    return self.pool->get(size);
}

PyObject* get(PyObject* object, PyObject* argument) noexcept {
    Pool& self = Pool::of(object);
    std::uint64_t size = 0;
    if (!check_open(self) || !to_bounded(argument, "size", kSizeMax, size)) return nullptr;
    try {
        return Buffer::make(self, take(self, size), size);
    } catch (...) {
        return set_error();
    }
}

bool put_one(Pool& self, PyObject* argument) noexcept {
    if (Py_TYPE(argument) != buffer_type) {
        PyErr_Format(PyExc_TypeError, "buffer must be a dwcp.memory.Buffer, not %R",
                     reinterpret_cast<PyObject*>(Py_TYPE(argument)));
        return false;
    }
    Buffer& buffer = Buffer::of(argument);
    if (buffer.pool != &self) {
        PyErr_SetString(PyExc_ValueError, "buffer must be of this pool, but is of another one");
        return false;
    }
    return check_open(self) && buffer.put();
}
PyObject* put(PyObject* object, PyObject* argument) noexcept {
    if (!put_one(Pool::of(object), argument)) return nullptr;
    Py_RETURN_NONE;
}

PyObject* get_many(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                   PyObject* keywords) noexcept {
    static const char* const names[] = {"count", "size"};
    PyObject* bound[2] = {};
    if (!fastcall::bind({"get_many", names, 2}, arguments, count, keywords, bound)) return nullptr;
    Pool& self = Pool::of(object);
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    if (!check_open(self) || !to_bounded(bound[0], "count", PY_SSIZE_T_MAX / 8, number) ||
        !to_bounded(bound[1], "size", kSizeMax, size)) {
        return nullptr;
    }
    PyObject* const list = PyList_New(0);
    if (list == nullptr) return nullptr;
    for (std::uint64_t i = 0; i < number; ++i) {
        PyObject* buffer = nullptr;
        try {
            buffer = Buffer::make(self, take(self, size), size);
        } catch (...) {
            set_error();
        }
        const bool good = buffer != nullptr && PyList_Append(list, buffer) == 0;
        Py_XDECREF(buffer);
        if (!good) {
            Py_DECREF(list);
            return nullptr;
        }
    }
    return list;
}
PyObject* put_many(PyObject* object, PyObject* buffers) noexcept {
    PyObject* const iterator = PyObject_GetIter(buffers);
    if (iterator == nullptr) return nullptr;
    bool good = true;
    PyObject* buffer = nullptr;
    while (good && (buffer = PyIter_Next(iterator)) != nullptr) {
        good = put_one(Pool::of(object), buffer);
        Py_DECREF(buffer);
    }
    Py_DECREF(iterator);
    if (!good || PyErr_Occurred() != nullptr) return nullptr;
    Py_RETURN_NONE;
}

nb::tuple to_tuple(const PoolCounts& counts) {
    return nb::make_tuple(counts.allocations, counts.deallocations, counts.misses,
                          counts.bytes_held, counts.bytes_held_max);
}
PyObject* stats(PyObject* object, PyObject*) noexcept {
    try {
        const dwcp::memory::PoolStats stats = Pool::of(object).pool->stats();
        nb::list classes;
        for (const PoolCounts& one : stats.classes) classes.append(to_tuple(one));
        // The class lives where it can be a dataclass.
        const nb::object make = nb::module_::import_("dwcp.memory").attr("_make_stats");
        return make(to_tuple(stats.all), to_tuple(stats.larger), classes).release().ptr();
    } catch (...) {
        return set_error();
    }
}

PyObject* trim(PyObject* object, PyObject*) noexcept {
    try {
        std::size_t given_back = 0;
        {
            const nb::gil_scoped_release release;
            given_back = Pool::of(object).pool->trim();
        }
        return PyLong_FromSize_t(given_back);
    } catch (...) {
        return set_error();
    }
}

PyObject* close(PyObject* object, PyObject*) noexcept {
    Pool& self = Pool::of(object);
    if (self.closed.exchange(true)) Py_RETURN_NONE;
    PyObject* const given_back = trim(object, nullptr);
    if (given_back == nullptr) return nullptr;
    Py_DECREF(given_back);
    Py_RETURN_NONE;
}
PyObject* enter(PyObject* object, PyObject*) noexcept {
    if (!check_open(Pool::of(object))) return nullptr;
    Py_INCREF(object);
    return object;
}
PyObject* exit(PyObject* object, PyObject*) noexcept {
    return close(object, nullptr);
}
PyObject* is_closed(PyObject* object, void*) noexcept {
    return PyBool_FromLong(Pool::of(object).closed.load());
}

// What asks the kernel.
template <auto kAsk>
PyObject* asked(PyObject* object, void*) noexcept {
    try {
        const BufferPool& pool = *Pool::of(object).pool;
        const auto answer = [&] {
            const nb::gil_scoped_release release;
            return kAsk(pool);
        }();
        return nb::cast(answer).release().ptr();
    } catch (...) {
        return set_error();
    }
}
constexpr auto kHugeBytes = [](const BufferPool& pool) { return pool.huge_bytes(); };
constexpr auto kKind = [](const BufferPool& pool) { return std::string(name_of(pool.kind())); };
constexpr auto kReason = [](const BufferPool& pool) { return pool.reason(); };

void make_pool_type(nb::module_& module) {
    static PyMethodDef methods[] = {
        {"get", get, METH_O,
         "get($self, size, /)\n--\n\nA Buffer of `size` bytes, 0 to 2^46, whose pages are "
         "there.\n\n"
         "What is in it is what was left there, unless the pool is made with zero=True. Raises\n"
         "MemoryError beyond the limit of the pool or of the machine, ValueError for a size out "
         "of\n"
         "bounds, Closed after close(). The GIL is released for more than 1 MiB."},
        {"put", put, METH_O,
         "put($self, buffer, /)\n--\n\nGive the memory of a Buffer back, from any thread.\n\n"
         "Raises ValueError, having changed nothing, for a buffer of another pool or one that was\n"
         "put before, TypeError for anything else, Closed after close()."},
        fastcall::method("get_many", get_many,
                         "get_many($self, count, size)\n--\n\nA list of `count` Buffers of `size` "
                         "bytes; all or none. Raises as get() does."),
        {"put_many", put_many, METH_O,
         "put_many($self, buffers, /)\n--\n\nput() each of them, up to the first that is refused."},
        {"stats", stats, METH_NOARGS,
         "stats($self, /)\n--\n\nPoolStats: what has been got, put and held so far, exactly.\n\n"
         "While other threads use the pool each number is right as of some moment of the call."},
        {"trim", trim, METH_NOARGS,
         "trim($self, /)\n--\n\nGive memory that nobody uses, and no other thread keeps, back to "
         "the kernel.\n\nOf each class 2 MiB at a time; larger buffers as well. Returns how "
         "many bytes."},
        {"close", close, METH_NOARGS,
         "close($self, /)\n--\n\nNothing is got or put from here on; buffers that are in use stay "
         "good,\nand their memory goes with the last of them."},
        {"__enter__", enter, METH_NOARGS, "The pool itself."},
        {"__exit__", exit, METH_VARARGS, "Close the pool."},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyGetSetDef properties[] = {
        {"closed", is_closed, nullptr, "Whether close() was called.", nullptr},
        {"huge_bytes", asked<kHugeBytes>, nullptr,
         "How much of its memory lies in huge pages just now, in bytes (/proc/self/smaps).",
         nullptr},
        {"kind", asked<kKind>, nullptr,
         "Which pages that makes it: 'transparent' where some are huge, else 'plain'.", nullptr},
        {"reason", asked<kReason>, nullptr,
         "Why memory does not lie as was wished for, as of now; empty when it does.", nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    PyType_Slot slots[] = {
        {Py_tp_doc,
         const_cast<char*>(
             "BufferPool(*, limit_bytes=None, zero=False, huge_pages=False, placing=None, "
             "nodes=None)\n--\n\n"
             "Memory that is used again, in 15 classes of 64 bytes to 1 MiB, and larger.\n\n"
             "limit_bytes is the most to hold from the kernel, in use or not, 1 to 2^46; with "
             "zero\n"
             "buffers are cleared when they are got. What is larger than 1 MiB comes from the "
             "kernel\n"
             "and is kept up to 64 MiB. Buffers of a page (4 KiB, on some machines more) and "
             "larger\n"
             "are aligned to pages and share none. With huge_pages memory is held 2 MiB at a "
             "time,\n"
             "and the kernel is asked for huge pages; kind, huge_bytes and reason tell what it "
             "gave.\n"
             "nodes, a number of a memory node or several, says where all of it lies, and placing "
             "how:\n"
             "'bind' (the default with nodes), 'preferred' or 'interleave', as for "
             "numa.allocate.\n"
             "All calls may be made from any thread; each thread has a cache of its own, so that "
             "they\n"
             "seldom wait for one another. A forked child may go on with copies of all buffers.\n"
             "Raises ValueError for a limit out of bounds and for nodes that are not there, "
             "OSError\n"
             "where the kernel gives no addresses (ulimit -v) or refuses the placing.")},
        {Py_tp_new, reinterpret_cast<void*>(create)},
        {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
        {Py_tp_methods, methods},
        {Py_tp_getset, properties},
        {0, nullptr},
    };
    PyType_Spec spec{"dwcp.memory.BufferPool", static_cast<int>(sizeof(Pool)), 0,
                     Py_TPFLAGS_DEFAULT, slots};
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw nb::python_error();
    pool_type = reinterpret_cast<PyTypeObject*>(type);
    module.attr("BufferPool") = nb::borrow(type);
}

}  // namespace

}  // namespace memory

void init_memory(nb::module_& module) {
    memory::make_buffer_type(module);
    memory::make_pool_type(module);
}

}  // namespace dwcp::bindings
