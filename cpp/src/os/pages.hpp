// Whole pages of anonymous memory.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "dwcp/os/machine.hpp"

namespace dwcp::os {

inline std::size_t up_to(std::size_t size, std::size_t alignment) noexcept {
    return (size + alignment - 1) / alignment * alignment;
}

// Private anonymous memory that begins at a multiple of `alignment`, as `size` is one of the page;
// nullptr with errno when the kernel refuses.
inline std::byte* map_aligned(std::size_t size, std::size_t alignment, int protection,
                              int more_flags = 0) noexcept {
    // More, so that a part of it begins at a multiple; the rest is given back.
    void* const place = mmap(nullptr, size + alignment, protection,
                             MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
    if (place == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<std::byte*>(place);
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    const std::size_t before = up_to(address, alignment) - address;
    if (before > 0) munmap(begin, before);
    munmap(begin + before + size, alignment - before);
    return begin + before;
}

// Brings pages that are new into memory: writes a zero to each.
inline void touch_pages(std::byte* data, std::size_t size) noexcept {
    for (std::size_t at = 0; at < size; at += page_bytes()) {
        *const_cast<volatile std::byte*>(data + at) = std::byte{0};
    }
}

}  // namespace dwcp::os
