#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "dwcp/memory/buffer_pool.hpp"
#include "errors.hpp"
#include "fastcall.hpp"
#include "integers.hpp"
#include "memory/buffer.hpp"
#include "memory/object_pools.hpp"
#include "placing.hpp"
#include "topics.hpp"

namespace dwcp::bindings {

namespace memory {

namespace {

using dwcp::memory::BufferPool;
using dwcp::memory::PoolCounts;
using dwcp::memory::PoolOptions;

constexpr auto kCapacity = [](const BufferPool&, std::size_t size) {
    return BufferPool::capacity_for(size);
};
constexpr SourceKind kKindOfPool = source_kind<BufferPool, kCapacity>("buffer pool");

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
    if (!to_limit(limit, options.limit_bytes)) return nullptr;
    try {
        if (!to_placing(placing, nodes, options)) return nullptr;
    } catch (...) {
        return set_error();
    }
    return make_source(type, kKindOfPool, [&] { return new BufferPool(options); });
}

// Touching the pages of new memory, and clearing, take long only for large buffers.
void* take(BufferPool& pool, std::size_t size) {
    if (size <= dwcp::memory::kLargestClassBytes) return pool.get(size);
    const nb::gil_scoped_release release;
    return pool.get(size);
}
PyObject* get_one(Source& self, std::size_t size) noexcept {
    try {
        return Buffer::make(self, take(self.as<BufferPool>(), size), size);
    } catch (...) {
        return set_error();
    }
}

PyObject* get(PyObject* object, PyObject* argument) noexcept {
    Source& self = Source::of(object);
    std::uint64_t size = 0;
    if (!self.check_open() || !to_bounded(argument, "size", kSizeMax, size)) return nullptr;
    return get_one(self, size);
}

PyObject* get_many(PyObject* object, PyObject* const* arguments, Py_ssize_t count,
                   PyObject* keywords) noexcept {
    static const char* const names[] = {"count", "size"};
    PyObject* bound[2] = {};
    if (!fastcall::bind({"get_many", names, 2}, arguments, count, keywords, bound)) return nullptr;
    Source& self = Source::of(object);
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    if (!self.check_open() || !to_bounded(bound[0], "count", PY_SSIZE_T_MAX / 8, number) ||
        !to_bounded(bound[1], "size", kSizeMax, size)) {
        return nullptr;
    }
    return make_list(number, [&] { return get_one(self, size); });
}

PyObject* stats(PyObject* object, PyObject*) noexcept {
    try {
        const dwcp::memory::PoolStats stats = Source::of(object).as<BufferPool>().stats();
        nb::list classes;
        for (const PoolCounts& one : stats.classes) classes.append(to_tuple(one));
        // The class lives where it can be a dataclass.
        const nb::object make = nb::module_::import_("dwcp.memory").attr("_make_stats");
        return make(to_tuple(stats.all), to_tuple(stats.larger), classes).release().ptr();
    } catch (...) {
        return set_error();
    }
}

// What asks the kernel.
template <auto kAsk>
PyObject* asked(PyObject* object, void*) noexcept {
    try {
        const BufferPool& pool = Source::of(object).as<BufferPool>();
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
        {"put", methods::put, METH_O, doc::kPut},
        fastcall::method("get_many", get_many,
                         "get_many($self, count, size)\n--\n\nA list of `count` Buffers of `size` "
                         "bytes; all or none. Raises as get() does."),
        {"put_many", methods::put_many, METH_O, doc::kPutMany},
        {"stats", stats, METH_NOARGS,
         "stats($self, /)\n--\n\nPoolStats: what has been got, put and held so far, exactly.\n\n"
         "While other threads use the pool each number is right as of some moment of the call."},
        {"trim", methods::trim, METH_NOARGS,
         "trim($self, /)\n--\n\nGive memory that nobody uses, and no other thread keeps, back to "
         "the kernel.\n\nOf each class 2 MiB at a time; larger buffers as well. Returns how "
         "many bytes."},
        {"close", methods::close, METH_NOARGS, doc::kClose},
        {"__enter__", methods::enter, METH_NOARGS, doc::kEnter},
        {"__exit__", methods::exit, METH_VARARGS, doc::kExit},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyGetSetDef properties[] = {
        {"closed", methods::is_closed, nullptr, doc::kClosed, nullptr},
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
        {Py_tp_dealloc, reinterpret_cast<void*>(methods::destroy)},
        {Py_tp_methods, methods},
        {Py_tp_getset, properties},
        {0, nullptr},
    };
    pool_type = make_source_type(module, "BufferPool", slots);
}

}  // namespace

}  // namespace memory

void init_memory(nb::module_& module) {
    memory::make_buffer_type(module);
    memory::make_pool_type(module);
    memory::make_object_pool_types(module);
}

}  // namespace dwcp::bindings
