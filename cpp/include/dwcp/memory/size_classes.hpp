// The fifteen sizes in which a pool keeps memory: powers of two from 64 bytes to 1 MiB.
#pragma once

#include <bit>
#include <cstddef>

namespace dwcp::memory {

inline constexpr std::size_t kSizeClasses = 15;
inline constexpr std::size_t kSmallestClassBytes = 64;
inline constexpr std::size_t kLargestClassBytes = kSmallestClassBytes << (kSizeClasses - 1);

constexpr std::size_t class_bytes(std::size_t size_class) noexcept {
    return kSmallestClassBytes << size_class;
}
// The smallest class whose buffers have `size` bytes or more; kSizeClasses and above for a size
// beyond kLargestClassBytes.
constexpr std::size_t class_of(std::size_t size) noexcept {
    // One branch less than to ask for the least size first: 64 bytes and fewer all have no bit
    // left.
    return static_cast<std::size_t>(std::bit_width((size - (size != 0)) / kSmallestClassBytes));
}

static_assert(class_of(0) == 0 && class_of(1) == 0 && class_of(64) == 0 && class_of(65) == 1);
static_assert(class_of(128) == 1 && class_of(129) == 2);
static_assert(class_of(kLargestClassBytes) == kSizeClasses - 1);
static_assert(class_of(kLargestClassBytes + 1) == kSizeClasses);

}  // namespace dwcp::memory
