// What a ring consists of.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "dwcp/lockfree/shared/byte_ring.hpp"
#include "dwcp/os/mirrored_memory.hpp"
#include "lockfree/shared/segment_state.hpp"

namespace dwcp::lockfree::shared {

inline constexpr std::size_t kHeaderBytes = 8;  // of a message: its length

// One side of a ring: how far it is, and who may move it on. The other side looks at the first of
// these over and over again, and not at the rest.
struct alignas(kSeparationBytes) RingSide {
    std::atomic<std::uint64_t> position;  // bytes
    alignas(kSeparationBytes) Lock lock;
    std::atomic<std::uint64_t> messages;
};

struct RingHeader {
    SegmentHeader segment;
    RingSide producers;
    RingSide consumers;
};
static_assert(std::is_standard_layout_v<RingHeader>);

inline std::uint64_t padded(std::uint64_t size) noexcept {
    return (size + 7) & ~std::uint64_t{7};
}

struct RingState final : SegmentState {
    RingHeader& ring;
    // Copies, because others could change them.
    const std::uint64_t capacity;
    const std::uint64_t limit;  // that the bytes in use never exceed
    os::MirroredMemory data;
    const std::uint64_t mask;  // of a size that is a power of two, else 0
    // How far the other side is at least; written by whoever has the lock of the side.
    std::atomic<std::uint64_t> consumed_seen{0};
    std::atomic<std::uint64_t> produced_seen{0};
    std::atomic<std::int64_t> owner_looked{0};  // see Lock

    RingState(os::SharedFile opened, const SegmentSizes& sizes);

    // Bytes in use as the other side's position says. Throws CorruptSegment when that cannot be.
    std::uint64_t used(std::uint64_t produced, std::uint64_t consumed) const;
    std::byte* at(std::uint64_t position) const noexcept {
        return data.at(mask != 0 ? position & mask : position % data.size());
    }
};

}  // namespace dwcp::lockfree::shared
