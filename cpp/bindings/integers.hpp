// Python's int to and from checksums, without exceptions.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

#include "dwcp/checksum/xxh.hpp"

namespace dwcp::bindings {

// Functions that return bool: an int, or whatever has __index__. False with TypeError set, naming
// the argument, for anything else.

// Only the lower 32 bits count, as in zlib.
[[nodiscard]] bool to_masked_u32(PyObject* object, const char* argument,
                                 std::uint32_t& value) noexcept;

// False with ValueError set, naming the bounds, unless it is `min` .. `max`.
[[nodiscard]] bool to_bounded(PyObject* object, const char* argument, std::uint64_t max,
                              std::uint64_t& value, std::uint64_t min = 0) noexcept;
[[nodiscard]] bool to_hash128(PyObject* object, const char* argument, checksum::Hash128 max,
                              checksum::Hash128& value) noexcept;

// New references, or nullptr with MemoryError set.
inline PyObject* to_int(std::uint32_t value) noexcept {
    return PyLong_FromUnsignedLong(value);
}
inline PyObject* to_int(std::uint64_t value) noexcept {
    return PyLong_FromUnsignedLongLong(value);
}
[[nodiscard]] PyObject* to_int(checksum::Hash128 value) noexcept;

}  // namespace dwcp::bindings
