// XOR of buffers and the regions in which two buffers differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dwcp::delta {

// out = a ^ b. `out` may be exactly `a` or `b`. From xor_streaming_bytes_min() on the stores bypass
// the caches, unless out is a or b.
// Throws std::invalid_argument when the lengths differ or `out` overlaps an input partially.
// May be called from any thread.
void xor_bytes(std::span<std::byte> out, std::span<const std::byte> a,
               std::span<const std::byte> b);

// The length in bytes from which ordinary stores would cost more than they are worth, because the
// three buffers are beyond the cache that one core can store to at better than memory speed.
[[nodiscard]] std::size_t xor_streaming_bytes_min();

// Makes `previous` equal to `current` by writing only the lines of 64 bytes that differ, in the
// pass that compares; returns how many did. Throws std::invalid_argument when the lengths differ.
// The caller keeps other threads away from `previous`.
std::uint64_t update(std::span<std::byte> previous, std::span<const std::byte> current);

// A range of bytes of a state.
struct Region {
    std::uint64_t offset;
    std::uint64_t length;
    friend bool operator==(const Region&, const Region&) = default;
};

// Ranges in which `current` and `previous` differ, ascending and disjoint. Ranges that less than
// `merge_gap` equal bytes separate are reported as one; every range starts and ends with a byte
// that differs. Throws std::invalid_argument when the lengths differ.
// May be called from any thread.
std::vector<Region> changed_regions(std::span<const std::byte> current,
                                    std::span<const std::byte> previous,
                                    std::uint64_t merge_gap = 4);

}  // namespace dwcp::delta
