#include "memory/object_pools.hpp"

#include "dwcp/memory/size_classes.hpp"
#include "dwcp/memory/slab_allocator.hpp"
#include "dwcp/memory/thread_local_pool.hpp"
#include "integers.hpp"
#include "memory/buffer.hpp"
#include "memory/source.hpp"

namespace dwcp::bindings::memory {

namespace {

using dwcp::memory::PoolCounts;
using dwcp::memory::SlabAllocator;
using dwcp::memory::SlabOptions;
using dwcp::memory::SlabStats;
using dwcp::memory::ThreadLocalPool;
using dwcp::memory::ThreadLocalPoolOptions;

std::size_t size_of(const SlabAllocator& slabs) noexcept {
    return slabs.object_size();
}
std::size_t size_of(const ThreadLocalPool& pool) noexcept {
    return pool.size();
}

constexpr auto kStride = [](const SlabAllocator& slabs, std::size_t) { return slabs.stride(); };
constexpr SourceKind kKindOfSlabs = source_kind<SlabAllocator, kStride>("slab allocator");
constexpr auto kCapacity = [](const ThreadLocalPool& pool, std::size_t) { return pool.capacity(); };
constexpr SourceKind kKindOfLocal = source_kind<ThreadLocalPool, kCapacity>("thread-local pool");

PyObject* create_slabs(PyTypeObject* type, PyObject* positional, PyObject* named) noexcept {
    static const char* names[] = {"object_size", "objects_per_slab", "limit_bytes", nullptr};
    PyObject* size = nullptr;
    PyObject* number = nullptr;
    PyObject* limit = Py_None;
    if (PyArg_ParseTupleAndKeywords(positional, named, "OO|$O:SlabAllocator",
                                    const_cast<char**>(names), &size, &number, &limit) == 0) {
        return nullptr;
    }
    std::uint64_t object_size = 0;
    std::uint64_t objects_per_slab = 0;
    SlabOptions options;
    if (!to_bounded(size, names[0], SlabAllocator::kObjectBytesMax, object_size, 1) ||
        !to_bounded(number, names[1], SlabAllocator::kSlabBytesMax, objects_per_slab, 1) ||
        !to_limit(limit, options.limit_bytes)) {
        return nullptr;
    }
    return make_source(type, kKindOfSlabs,
                       [&] { return new SlabAllocator(object_size, objects_per_slab, options); });
}

PyObject* create_local(PyTypeObject* type, PyObject* positional, PyObject* named) noexcept {
    static const char* names[] = {"size", "buffers_per_thread", "limit_bytes", nullptr};
    PyObject* size = nullptr;
    PyObject* number = Py_None;
    PyObject* limit = Py_None;
    if (PyArg_ParseTupleAndKeywords(positional, named, "O|$OO:ThreadLocalPool",
                                    const_cast<char**>(names), &size, &number, &limit) == 0) {
        return nullptr;
    }
    std::uint64_t bytes = 0;
    std::uint64_t buffers = 0;
    ThreadLocalPoolOptions options;
    if (!to_bounded(size, names[0], ThreadLocalPool::kSizeMax, bytes, 1) ||
        (number != Py_None &&
         !to_bounded(number, names[1], ThreadLocalPool::kBuffersPerThreadMax, buffers, 1)) ||
        !to_limit(limit, options.limit_bytes)) {
        return nullptr;
    }
    options.buffers_per_thread = static_cast<std::uint32_t>(buffers);
    return make_source(type, kKindOfLocal, [&] { return new ThreadLocalPool(bytes, options); });
}

// Touching the pages of new memory takes long only for large buffers.
template <typename Pool>
void* take(Pool& pool) {
    if (size_of(pool) <= dwcp::memory::kLargestClassBytes) return pool.get();
    const nb::gil_scoped_release release;
    return pool.get();
}
template <typename Pool>
PyObject* get_one(Source& self) noexcept {
    try {
        auto& pool = self.as<Pool>();
        return Buffer::make(self, take(pool), size_of(pool));
    } catch (...) {
        return set_error();
    }
}

template <typename Pool>
PyObject* get(PyObject* object, PyObject*) noexcept {
    Source& self = Source::of(object);
    return self.check_open() ? get_one<Pool>(self) : nullptr;
}
template <typename Pool>
PyObject* get_many(PyObject* object, PyObject* count) noexcept {
    Source& self = Source::of(object);
    std::uint64_t number = 0;
    if (!self.check_open() || !to_bounded(count, "count", PY_SSIZE_T_MAX / 8, number)) {
        return nullptr;
    }
    return make_list(number, [&] { return get_one<Pool>(self); });
}

// The classes live where they can be dataclasses.
nb::object to_object(const PoolCounts& counts) {
    return nb::module_::import_("dwcp.memory").attr("PoolCounts")(*to_tuple(counts));
}
nb::object to_object(const SlabStats& stats) {
    return nb::module_::import_("dwcp.memory").attr("SlabStats")(*to_tuple(stats), stats.slabs);
}
template <typename Pool>
PyObject* stats(PyObject* object, PyObject*) noexcept {
    try {
        return to_object(Source::of(object).as<Pool>().stats()).release().ptr();
    } catch (...) {
        return set_error();
    }
}

template <typename Pool, auto kNumber>
PyObject* number_of(PyObject* object, void*) noexcept {
    return PyLong_FromSize_t((Source::of(object).as<Pool>().*kNumber)());
}

template <typename Pool>
PyMethodDef kMethods[] = {
    {"get", get<Pool>, METH_NOARGS,
     "get($self, /)\n--\n\nA Buffer, whose pages are there; what is in it was left there.\n\n"
     "Raises MemoryError beyond the limit or that of the machine, Closed after close(). The GIL "
     "is\nreleased for more than 1 MiB."},
    {"put", methods::put, METH_O, doc::kPut},
    {"get_many", get_many<Pool>, METH_O,
     "get_many($self, count, /)\n--\n\nA list of `count` Buffers; all or none. Raises as get() "
     "does,\nValueError for a negative count."},
    {"put_many", methods::put_many, METH_O, doc::kPutMany},
    {"stats", stats<Pool>, METH_NOARGS,
     "stats($self, /)\n--\n\nWhat has been got, put and held so far, exactly.\n\n"
     "While other threads use it each number is right as of some moment of the call."},
    {"trim", methods::trim, METH_NOARGS,
     "trim($self, /)\n--\n\nGive memory of which nothing is in use, and that no other thread "
     "keeps, back to the kernel.\n\nSlab by slab. Returns how many bytes."},
    {"close", methods::close, METH_NOARGS, doc::kClose},
    {"__enter__", methods::enter, METH_NOARGS, doc::kEnter},
    {"__exit__", methods::exit, METH_VARARGS, doc::kExit},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef properties_of_slabs[] = {
    {"object_size", number_of<SlabAllocator, &SlabAllocator::object_size>, nullptr,
     "Length of each Buffer in bytes.", nullptr},
    {"objects_per_slab", number_of<SlabAllocator, &SlabAllocator::objects_per_slab>, nullptr,
     "How many objects a slab has.", nullptr},
    {"closed", methods::is_closed, nullptr, doc::kClosed, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyGetSetDef properties_of_local[] = {
    {"size", number_of<ThreadLocalPool, &ThreadLocalPool::size>, nullptr,
     "Length of each Buffer in bytes.", nullptr},
    {"buffers_per_thread", number_of<ThreadLocalPool, &ThreadLocalPool::buffers_per_thread>,
     nullptr, "How many buffers that are not in use a thread keeps at most.", nullptr},
    {"closed", methods::is_closed, nullptr, doc::kClosed, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

constexpr const char* kDocOfSlabs =
    "SlabAllocator(object_size, objects_per_slab, *, limit_bytes=None)\n--\n\n"
    "Objects of one size, packed into slabs, that are used again: for many of them.\n\n"
    "object_size is 1 byte to 1 MiB, objects_per_slab 1 to as many as 1 GiB holds. An object "
    "takes\n"
    "its size rounded up to 8 bytes (Buffer.capacity), and begins at a multiple of the largest "
    "power\n"
    "of two that divides that, up to a page. A slab is taken from the kernel at once, in whole\n"
    "pages, which so many objects should fill. limit_bytes is the most to hold from the kernel, a\n"
    "slab to 2^46. Threads and fork as with BufferPool: all calls from any thread, each of which "
    "has\n"
    "a cache. Raises ValueError for numbers out of bounds, naming them, OSError where the kernel\n"
    "gives no addresses (ulimit -v).";
constexpr const char* kDocOfLocal =
    "ThreadLocalPool(size, *, buffers_per_thread=None, limit_bytes=None)\n--\n\n"
    "Buffers of one size that stay with their thread: for what each thread gets and puts "
    "itself.\n\n"
    "size is 1 byte to 1 GiB. What a thread puts, whoever got it, is the next that it gets. It "
    "keeps\n"
    "at most buffers_per_thread (1 to 255; None: as many as 1 MiB holds, 2 to 64), and shares\n"
    "nothing with others up to there; beyond it buffers go to threads that have none left, half "
    "of\n"
    "that number at a time. They are aligned to 64 bytes, or to pages from one page on, of which\n"
    "they share none. limit_bytes is the most to hold from the kernel, enough for half of what a\n"
    "thread keeps, to 2^46. All calls may be made from any thread; a forked child may go on with\n"
    "copies of all buffers. Raises ValueError for numbers out of bounds, naming them, OSError "
    "where\n"
    "the kernel gives no addresses (ulimit -v).";

template <typename Pool>
void make_type(nb::module_& module, const char* name, const char* documentation, newfunc create,
               PyGetSetDef* properties) {
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>(documentation)},
        {Py_tp_new, reinterpret_cast<void*>(create)},
        {Py_tp_dealloc, reinterpret_cast<void*>(methods::destroy)},
        {Py_tp_methods, kMethods<Pool>},
        {Py_tp_getset, properties},
        {0, nullptr},
    };
    make_source_type(module, name, slots);
}

}  // namespace

void make_object_pool_types(nb::module_& module) {
    make_type<SlabAllocator>(module, "SlabAllocator", kDocOfSlabs, create_slabs,
                             properties_of_slabs);
    make_type<ThreadLocalPool>(module, "ThreadLocalPool", kDocOfLocal, create_local,
                               properties_of_local);
}

}  // namespace dwcp::bindings::memory
