// What a queue of slots consists of.
//
// Positions count the messages from the beginning; position p is in slot p mod capacity, in the
// round p / capacity. The stage of a slot is even when it is free for its round and odd when it has
// a message: twice the round, and one more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "dwcp/lockfree/shared/mpmc_queue.hpp"
#include "lockfree/shared/segment_state.hpp"

namespace dwcp::lockfree::shared {

struct Slot {
    std::atomic<std::uint64_t> state;  // stage, and who is at it
    std::uint64_t length;              // bytes of the message, which follow
    [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

struct QueueHeader {
    SegmentHeader segment;
    // Where the next producer begins to look for a free slot: at most behind it.
    alignas(kSeparationBytes) std::atomic<std::uint64_t> tail;
    std::atomic<std::uint64_t> passed_over;  // slots that were claimed and never written
    // Where consumers begin to look for messages: everything before it was consumed.
    alignas(kSeparationBytes) std::atomic<std::uint64_t> head;
    std::atomic<std::uint64_t> consumed;  // messages
    // How often messages came back.
    alignas(kSeparationBytes) std::atomic<std::uint64_t> returned;
};
static_assert(std::is_standard_layout_v<QueueHeader>);

struct QueueState final : SegmentState {
    QueueHeader& queue;
    os::SharedMapping slots;
    // Copies, because others could change them.
    const std::uint64_t capacity;
    const std::uint64_t slot_bytes;
    const std::uint64_t stride;
    const int shift;  // of a capacity that is a power of two, else -1

    QueueState(os::SharedFile opened, const SegmentSizes& sizes);

    struct Place {
        Slot& slot;
        std::uint64_t stage;  // of a free slot
    };
    [[nodiscard]] Place place_of(std::uint64_t position) const noexcept;
    [[nodiscard]] Slot& slot(std::uint64_t index) const noexcept;

    void recover(std::size_t place) noexcept override;
    [[nodiscard]] bool is_named(std::size_t place) const noexcept override;

    // A slot, and the word that says who is at it.
    struct Claim {
        Slot& slot;
        std::uint64_t word;
    };
    // Whether this process still has it: not after a fork.
    [[nodiscard]] bool owns(const Claim& claim) const noexcept;
    // Gives back what it owns, `stages` further.
    static void give_back(const Claim& claim, std::uint64_t stages) noexcept;
    // The first message that nobody is at; the caller's from then on if `claiming`.
    std::optional<Claim> find_message(bool claiming) noexcept;

  private:
    // Where to begin to look.
    [[nodiscard]] std::uint64_t first_unseen(std::uint64_t head,
                                             std::uint64_t returns) const noexcept;

    // Before this position, the handle saw everything taken, as long as nothing came back: the low
    // bits of the position below those of QueueHeader::returned.
    std::atomic<std::uint64_t> seen_{0};
};

}  // namespace dwcp::lockfree::shared
