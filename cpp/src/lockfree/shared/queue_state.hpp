// What a queue of slots consists of.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dwcp/lockfree/shared/mpmc_queue.hpp"
#include "lockfree/shared/segment_state.hpp"
#include "lockfree/shared/slot_queue.hpp"

namespace dwcp::lockfree::shared {

struct Slot {
    std::atomic<std::uint64_t> state;  // see SlotQueue
    std::uint64_t length;              // bytes of the message, which follow
    [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

struct QueueHeader {
    SegmentHeader segment;
    SlotQueueHeader<StdAtomics> slots;
};
static_assert(std::is_standard_layout_v<QueueHeader>);

struct SlotAt {
    std::byte* first;
    std::uint64_t stride;
    Slot& operator()(std::uint64_t index) const noexcept {
        return *reinterpret_cast<Slot*>(first + index * stride);
    }
};

struct QueueState final : SegmentState {
    using Slots = SlotQueue<StdAtomics, SlotAt>;
    static_assert(Members::kMax <= Slots::kOwnersMax);

    os::SharedMapping memory;  // of the slots
    // Copies of what is in the header, because others could change it there.
    const std::uint64_t slot_bytes;
    Slots slots;

    QueueState(os::SharedFile opened, const SegmentSizes& sizes);

    // The number by which slots name this handle, which must have joined.
    [[nodiscard]] std::uint64_t owner() const noexcept {
        return owner_of_place(member.load(std::memory_order_relaxed));
    }
    static std::uint64_t owner_of_place(std::size_t place) noexcept { return place + 1; }

    void recover(std::size_t place) noexcept override;
    [[nodiscard]] bool is_named(std::size_t place) const noexcept override {
        return slots.is_named(owner_of_place(place));
    }
    // Whether this process still has it: not after a fork.
    [[nodiscard]] bool owns(const Slots::Claim& claim) const noexcept {
        return header.members.is_own(claim.owner() - 1) && claim.holds();
    }
};

}  // namespace dwcp::lockfree::shared
