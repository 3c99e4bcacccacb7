// The algorithm of the queue of slots, apart from the memory it works on and from who takes part.
//
// Positions count the messages from the beginning; position p is in slot p mod capacity, in the
// round p / capacity. A slot's word has its stage, which is even when the slot is free for its
// round and odd when it has a message: twice the round, and one more. And it has the number of who
// is at it, 0 for nobody, so that what a dead one left can be told and put right.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "dwcp/lockfree/atomics.hpp"

namespace dwcp::lockfree::shared {

// In the memory of all.
template <typename Atomics>
struct SlotQueueHeader {
    template <typename U>
    using Atomic = typename Atomics::template atomic<U>;

    // Where the next producer begins to look for a free slot: at most behind it.
    alignas(kSeparationBytes) Atomic<std::uint64_t> tail{0};
    Atomic<std::uint64_t> passed_over{0};  // slots that were claimed and never written
    // Where consumers begin to look for messages: everything before it was consumed.
    alignas(kSeparationBytes) Atomic<std::uint64_t> head{0};
    Atomic<std::uint64_t> consumed{0};  // messages
    // How often messages came back.
    alignas(kSeparationBytes) Atomic<std::uint64_t> returned{0};
};

// What one handle works with. SlotAt gives the slot of a number below the capacity; a slot has an
// atomic `state`. All calls may be made by any number of threads and processes, any of which may
// die in any of them.
template <typename Atomics, typename SlotAt>
class SlotQueue {
  public:
    using Header = SlotQueueHeader<Atomics>;
    using Slot = std::remove_reference_t<std::invoke_result_t<const SlotAt&, std::uint64_t>>;

    static constexpr std::uint64_t kOwnersMax = 255;

    // A slot, and its word as long as the owner is at it.
    struct Claim {
        Slot* slot;
        std::uint64_t word;

        [[nodiscard]] std::uint64_t owner() const noexcept { return owner_of(word); }
        // Whether the slot is still the owner's.
        [[nodiscard]] bool holds() const noexcept {
            return slot->state.load(std::memory_order_relaxed) == word;
        }
    };

    SlotQueue(Header& header, SlotAt slot_at, std::uint64_t capacity) noexcept
        : header_(header),
          slot_at_(slot_at),
          capacity_(capacity),
          shift_(std::has_single_bit(capacity) ? std::countr_zero(capacity) : -1) {}

    // A free slot for `owner` to write a message in. Ends by publish() or pass_over().
    std::optional<Claim> claim_free(std::uint64_t owner) noexcept {
        // Nobody goes round more often than this, unless the memory is damaged.
        for (std::uint64_t tries = 0; tries < capacity_ + kTriesMore; ++tries) {
            std::uint64_t position = header_.tail.load(std::memory_order_acquire);
            const Place at = place_of(position);
            std::uint64_t state = at.slot.state.load(std::memory_order_acquire);
            const std::int64_t ahead = stages_ahead(state, at.stage);
            if (ahead < 0) break;  // still to be read, or being read
            std::optional<Claim> claimed;
            if (ahead == 0 && owner_of(state) == 0) {
                claimed = {&at.slot, word(at.stage, owner)};
                if (!at.slot.state.compare_exchange_strong(state, claimed->word,
                                                           std::memory_order_acq_rel,
                                                           std::memory_order_acquire)) {
                    continue;
                }
            }
            // Whoever sees that the slot is taken does so too: it does not matter who dies here.
            header_.tail.compare_exchange_strong(position, position + 1, std::memory_order_acq_rel,
                                                 std::memory_order_acquire);
            if (claimed) return claimed;
        }
        return std::nullopt;
    }
    // From here on the message is there.
    void publish(const Claim& claim) noexcept { give_back(claim, 1); }
    // There will be none.
    void pass_over(const Claim& claim) noexcept {
        header_.passed_over.fetch_add(1, std::memory_order_relaxed);
        give_back(claim, 2);
    }

    // The first message that nobody is at, for `owner` to read. Ends by consume() or put_back().
    std::optional<Claim> claim_message(std::uint64_t owner) noexcept { return find(owner); }
    [[nodiscard]] bool has_message() noexcept { return find(0).has_value(); }
    void consume(const Claim& claim) noexcept {
        header_.consumed.fetch_add(1, std::memory_order_relaxed);
        give_back(claim, 1);
    }
    void put_back(const Claim& claim) noexcept {
        give_back(claim, 0);
        // After it: who sees the new count also sees the message.
        header_.returned.fetch_add(1, std::memory_order_release);
    }

    // Puts right what a dead owner left: what was to be written is passed over, what was being read
    // is there again. May be called again, by others too, when whoever does it dies.
    void recover(std::uint64_t owner) noexcept {
        for (std::uint64_t i = 0; i < capacity_; ++i) {
            auto& state = slot_at_(i).state;
            std::uint64_t seen = state.load(std::memory_order_acquire);
            if (owner_of(seen) != owner) continue;
            const std::uint64_t stage = seen >> kOwnerBits;
            const bool writing = stage % 2 == 0;
            if (state.compare_exchange_strong(seen, word(writing ? stage + 2 : stage, 0),
                                              std::memory_order_acq_rel,
                                              std::memory_order_acquire) &&
                writing) {
                header_.passed_over.fetch_add(1, std::memory_order_relaxed);
            }
        }
        header_.returned.fetch_add(1, std::memory_order_release);
    }
    [[nodiscard]] bool is_named(std::uint64_t owner) const noexcept {
        for (std::uint64_t i = 0; i < capacity_; ++i) {
            if (owner_of(slot_at_(i).state.load(std::memory_order_acquire)) == owner) return true;
        }
        return false;
    }

    // May be outdated as soon as they are known. With those that are being read:
    [[nodiscard]] std::uint64_t messages() const noexcept {
        const std::uint64_t gone = header_.consumed.load(std::memory_order_acquire) +
                                   header_.passed_over.load(std::memory_order_acquire);
        const std::uint64_t claimed = header_.tail.load(std::memory_order_acquire);
        return claimed > gone ? std::min(claimed - gone, capacity_) : 0;
    }
    [[nodiscard]] bool has_room() const noexcept {
        const Place at = place_of(header_.tail.load(std::memory_order_acquire));
        return stages_ahead(at.slot.state.load(std::memory_order_acquire), at.stage) >= 0;
    }
    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

  private:
    static constexpr std::uint64_t kOwnerBits = 8;
    static_assert(kOwnersMax < (1U << kOwnerBits));
    // Beside the capacity, how often a call tries before it gives up.
    static constexpr std::uint64_t kTriesMore = 1000;
    // Of seen_.
    static constexpr unsigned kPositionBits = 40;
    static constexpr std::uint64_t kPositionMask = (std::uint64_t{1} << kPositionBits) - 1;

    struct Place {
        Slot& slot;
        std::uint64_t stage;  // of a free slot
    };

    static std::uint64_t word(std::uint64_t stage, std::uint64_t owner) noexcept {
        return stage << kOwnerBits | owner;
    }
    static std::uint64_t owner_of(std::uint64_t state) noexcept {
        return state & ((1U << kOwnerBits) - 1);
    }
    // Negative when the slot has not yet come to `stage`.
    static std::int64_t stages_ahead(std::uint64_t state, std::uint64_t stage) noexcept {
        // The difference of the words, so that the count of stages may overflow.
        return static_cast<std::int64_t>((state & ~std::uint64_t{0xff}) - word(stage, 0)) >>
               kOwnerBits;
    }

    Place place_of(std::uint64_t position) const noexcept {
        const std::uint64_t round = shift_ >= 0 ? position >> shift_ : position / capacity_;
        return {slot_at_(position - round * capacity_), 2 * round};
    }

    static void give_back(const Claim& claim, std::uint64_t stages) noexcept {
        // Nobody else changes the word while its owner lives.
        claim.slot->state.store(word((claim.word >> kOwnerBits) + stages, 0),
                                std::memory_order_release);
    }

    // Where to begin to look.
    std::uint64_t first_unseen(std::uint64_t head, std::uint64_t returns) const noexcept {
        const std::uint64_t seen = seen_.load(std::memory_order_relaxed);
        if (seen >> kPositionBits != (returns << kPositionBits) >> kPositionBits) return head;
        const std::uint64_t further = (seen - head) & kPositionMask;
        return further <= capacity_ ? head + further : head;
    }

    // The owner 0 only looks.
    std::optional<Claim> find(std::uint64_t owner) noexcept {
        const std::uint64_t returns = header_.returned.load(std::memory_order_acquire);
        std::uint64_t head = header_.head.load(std::memory_order_acquire);
        for (std::uint64_t i = 0; i < capacity_; ++i) {
            const Place at = place_of(head);
            if (stages_ahead(at.slot.state.load(std::memory_order_acquire), at.stage + 1) <= 0) {
                break;
            }
            if (header_.head.compare_exchange_strong(head, head + 1, std::memory_order_acq_rel,
                                                     std::memory_order_acquire)) {
                ++head;
            }
        }
        std::uint64_t position = first_unseen(head, returns);
        std::optional<Claim> found;
        for (const std::uint64_t end = position + capacity_; position != end && !found;
             ++position) {
            const Place at = place_of(position);
            std::uint64_t state = at.slot.state.load(std::memory_order_acquire);
            // What another one claims meanwhile is his.
            while (stages_ahead(state, at.stage + 1) == 0 && owner_of(state) == 0) {
                if (owner == 0) return Claim{&at.slot, state};
                const std::uint64_t claimed = word(at.stage + 1, owner);
                if (at.slot.state.compare_exchange_weak(state, claimed, std::memory_order_acq_rel,
                                                        std::memory_order_acquire)) {
                    found.emplace(&at.slot, claimed);
                    break;
                }
            }
            // The end, or a message that is being written.
            if (stages_ahead(state, at.stage + 1) < 0) break;
        }
        seen_.store(returns << kPositionBits | (position & kPositionMask),
                    std::memory_order_relaxed);
        return found;
    }

    Header& header_;
    const SlotAt slot_at_;
    const std::uint64_t capacity_;
    const int shift_;  // of a capacity that is a power of two, else -1
    // Before this position, the handle saw everything taken, as long as nothing came back: the low
    // bits of the position below those of Header::returned.
    typename Atomics::template atomic<std::uint64_t> seen_{0};
};

}  // namespace dwcp::lockfree::shared
