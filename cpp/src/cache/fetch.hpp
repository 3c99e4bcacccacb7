// Prefetching, whose kind the instruction has as a constant.
#pragma once

#include <cstddef>
#include <span>

#include "dwcp/cache/cache.hpp"

namespace dwcp::cache {

template <Access kAccess, Locality kLocality>
inline void fetch_lines(std::span<const std::byte> bytes) noexcept {
    constexpr int kWrites = kAccess == Access::kWrite ? 1 : 0;
    for (std::size_t at = 0; at < bytes.size(); at += kLineBytes) {
        __builtin_prefetch(bytes.data() + at, kWrites, static_cast<int>(kLocality));
    }
    // An effect that compilers see: gcc 12 takes a function that does nothing but prefetch for one
    // that does nothing, and leaves out its calls.
    asm volatile("");
    // The last line, where the first does not begin with the bytes.
    if (!bytes.empty()) {
        __builtin_prefetch(&bytes.back(), kWrites, static_cast<int>(kLocality));
    }
}

}  // namespace dwcp::cache
