// Lines of the caches, and how far apart memory is kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwcp::cache {

inline constexpr std::size_t kLineBytes = 64;

// What two threads write is kept this far apart: two lines, because processors fetch them in pairs.
inline constexpr std::size_t kSeparationBytes = 128;

// Whether an address is a multiple of `alignment`, a power of two.
[[nodiscard]] inline bool is_aligned(const void* address, std::size_t alignment) noexcept {
    return (reinterpret_cast<std::uintptr_t>(address) & (alignment - 1)) == 0;
}

}  // namespace dwcp::cache
