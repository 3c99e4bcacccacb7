// Where NumPy takes the memory of arrays from: its NEP 49. The function and the two structures
// are part of NumPy's binary interface since 1.22, and declared here, so that building does not
// need NumPy.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "dwcp/memory/buffer_pool.hpp"
#include "memory/buffer.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

using dwcp::memory::BufferPool;

struct NumpyAllocator {
    void* context;
    void* (*allocate)(void* context, std::size_t size);
    void* (*allocate_zeros)(void* context, std::size_t count, std::size_t size);
    void* (*reallocate)(void* context, void* data, std::size_t size);
    void (*free)(void* context, void* data, std::size_t size);
};
struct NumpyHandler {
    char name[127];
    std::uint8_t version;
    NumpyAllocator allocator;
};
constexpr const char* kCapsuleName = "mem_handler";
constexpr std::size_t kSetHandler = 304;

using SetHandler = PyObject* (*)(PyObject*);

SetHandler numpy_set_handler() {
    nb::object module;
    try {
        module = nb::module_::import_("numpy._core._multiarray_umath");
    } catch (nb::python_error&) {
        module = nb::module_::import_("numpy.core._multiarray_umath");  // before 2.0
    }
    const nb::object interface = module.attr("_ARRAY_API");
    auto** const table = static_cast<void**>(PyCapsule_GetPointer(interface.ptr(), nullptr));
    if (table == nullptr) throw nb::python_error();
    return reinterpret_cast<SetHandler>(table[kSetHandler]);
}

// The handler and the pool that it holds: as long as arrays know it, they hold the capsule.
struct PoolHandler {
    NumpyHandler handler;
    nb::object pool;

    BufferPool& buffers() const { return memory::Source::of(pool.ptr()).as<BufferPool>(); }
};

BufferPool& pool_of(void* context) {
    return static_cast<PoolHandler*>(context)->buffers();
}

// nullptr makes NumPy raise MemoryError.
void* allocate(void* context, std::size_t size) noexcept {
    try {
        return pool_of(context).get(size);
    } catch (const std::exception&) {
        return nullptr;
    }
}
void* allocate_zeros(void* context, std::size_t count, std::size_t size) noexcept {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
    try {
        return pool_of(context).get_zeros(bytes);
    } catch (const std::exception&) {
        return nullptr;
    }
}
void release(void* context, void* data, std::size_t) noexcept {
    if (data != nullptr) pool_of(context).put(data);
}
void* reallocate(void* context, void* data, std::size_t size) noexcept {
    if (data == nullptr) return allocate(context, size);
    try {
        const std::size_t capacity = pool_of(context).capacity(data);
        if (size <= capacity && BufferPool::capacity_for(size) == capacity) return data;
        void* const other = allocate(context, size);
        if (other == nullptr) return nullptr;
        std::memcpy(other, data, std::min(size, capacity));
        release(context, data, 0);
        return other;
    } catch (const std::exception&) {
        return nullptr;
    }
}

void destroy(PyObject* capsule) noexcept {
    auto* const handler = static_cast<NumpyHandler*>(PyCapsule_GetPointer(capsule, kCapsuleName));
    delete static_cast<PoolHandler*>(handler->allocator.context);
}

nb::object pool_handler(nb::handle pool) {
    if (Py_TYPE(pool.ptr()) != memory::pool_type) {
        PyErr_Format(PyExc_TypeError, "pool must be a dwcp.memory.BufferPool, not %R",
                     reinterpret_cast<PyObject*>(Py_TYPE(pool.ptr())));
        throw nb::python_error();
    }
    auto made = std::make_unique<PoolHandler>();
    made->pool = nb::borrow(pool);
    made->handler = {
        "dwcp.memory.BufferPool", 1, {made.get(), allocate, allocate_zeros, reallocate, release}};
    PyObject* const capsule = PyCapsule_New(&made->handler, kCapsuleName, destroy);
    if (capsule == nullptr) throw nb::python_error();
    made.release();
    return nb::steal(capsule);
}

nb::object set_handler(nb::handle handler) {
    static const SetHandler kSet = numpy_set_handler();
    PyObject* const before = kSet(handler.ptr());
    if (before == nullptr) throw nb::python_error();
    return nb::steal(before);
}

}  // namespace

void init_numpy_allocator(nb::module_& module) {
    module.def("pool_handler", &pool_handler, nb::arg("pool").none(),
               nb::sig("def pool_handler(pool: BufferPool) -> object"),
               "What NumPy's memory handler for a pool is.");
    module.def(
        "set_handler", &set_handler, nb::arg("handler"),
        nb::sig("def set_handler(handler: object) -> object"),
        "Make NumPy take memory for new arrays of this context by a handler; returns the one\n"
        "before.");
}

}  // namespace dwcp::bindings
