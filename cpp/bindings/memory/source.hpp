// What Buffers come from: what the pools have in common as Python objects.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "dwcp/memory/pool_counts.hpp"
#include "errors.hpp"

namespace dwcp::bindings::memory {

namespace nb = nanobind;

// What can be done with a pool of one kind.
struct SourceKind {
    const char* name;  // in messages
    void (*put)(void* pool, void* data);
    // Bytes that a buffer for so many has.
    std::size_t (*capacity)(const void* pool, std::size_t size);
    std::size_t (*trim)(void* pool);
    void (*destroy)(void* pool);
};
template <typename Pool, auto kCapacity>
constexpr SourceKind source_kind(const char* name) noexcept {
    return {name, [](void* pool, void* data) { static_cast<Pool*>(pool)->put(data); },
            [](const void* pool, std::size_t size) {
                return kCapacity(*static_cast<const Pool*>(pool), size);
            },
            [](void* pool) { return static_cast<Pool*>(pool)->trim(); },
            [](void* pool) { delete static_cast<Pool*>(pool); }};
}

struct Source {
    PyObject object;
    const SourceKind* kind;
    void* pool;  // of its kind
    std::atomic<bool> closed;

    static Source& of(PyObject* self) noexcept { return *reinterpret_cast<Source*>(self); }
    template <typename Pool>
    Pool& as() const noexcept {
        return *static_cast<Pool*>(pool);
    }
    // False with Closed set.
    bool check_open() const noexcept;
};

// A new object without a pool, or nullptr with an exception set.
PyObject* allocate_source(PyTypeObject* type, const SourceKind& kind) noexcept;
// With the pool that `make` returns; nullptr with an exception for what it throws.
template <typename Make>
PyObject* make_source(PyTypeObject* type, const SourceKind& kind, Make&& make) noexcept {
    PyObject* const object = allocate_source(type, kind);
    if (object == nullptr) return nullptr;
    try {
        Source::of(object).pool = make();
    } catch (...) {
        set_error();
        Py_DECREF(object);
        return nullptr;
    }
    return object;
}

// A list of what `make_one` returns, `count` times; nullptr where that does.
template <typename MakeOne>
PyObject* make_list(std::uint64_t count, MakeOne&& make_one) noexcept {
    PyObject* const list = PyList_New(0);
    for (std::uint64_t i = 0; i < count && list != nullptr; ++i) {
        PyObject* const buffer = make_one();
        const bool good = buffer != nullptr && PyList_Append(list, buffer) == 0;
        Py_XDECREF(buffer);
        if (!good) {
            Py_DECREF(list);
            return nullptr;
        }
    }
    return list;
}

nb::tuple to_tuple(const dwcp::memory::PoolCounts& counts);

// Of all pools.
namespace methods {

PyObject* put(PyObject* object, PyObject* buffer) noexcept;
PyObject* put_many(PyObject* object, PyObject* buffers) noexcept;
PyObject* trim(PyObject* object, PyObject*) noexcept;
PyObject* close(PyObject* object, PyObject*) noexcept;
PyObject* enter(PyObject* object, PyObject*) noexcept;
PyObject* exit(PyObject* object, PyObject*) noexcept;
PyObject* is_closed(PyObject* object, void*) noexcept;
void destroy(PyObject* object) noexcept;

}  // namespace methods

// The most that a pool can be told to hold, and a buffer of one can have.
inline constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 46;
// None leaves the limit as it is. False with an exception set.
bool to_limit(PyObject* limit, std::size_t& limit_bytes) noexcept;

namespace doc {

inline constexpr const char* kPut =
    "put($self, buffer, /)\n--\n\nGive the memory of a Buffer back, from any thread.\n\n"
    "Raises ValueError, having changed nothing, for a buffer of another pool or one that was\n"
    "put before, TypeError for anything else, Closed after close().";
inline constexpr const char* kPutMany =
    "put_many($self, buffers, /)\n--\n\nput() each of them, up to the first that is refused.";
inline constexpr const char* kClose =
    "close($self, /)\n--\n\nNothing is got or put from here on; buffers that are in use stay "
    "good,\nand their memory goes with the last of them.";
inline constexpr const char* kEnter = "The pool itself.";
inline constexpr const char* kExit = "Close the pool.";
inline constexpr const char* kClosed = "Whether close() was called.";

}  // namespace doc

// A new type whose instances are a Source, as the module has it from here on.
PyTypeObject* make_source_type(nb::module_& module, const char* name, PyType_Slot* slots);

}  // namespace dwcp::bindings::memory
