// What a state is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::delta {

// A part of a state: a buffer at an offset. Parts are ascending and disjoint; bytes of the state
// that no part covers are zero.
struct Part {
    std::uint64_t offset;
    std::span<const std::byte> bytes;
};

}  // namespace dwcp::delta
