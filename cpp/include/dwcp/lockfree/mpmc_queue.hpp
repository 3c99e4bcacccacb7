// A bounded queue for any number of producers and consumers, with a turn in each slot.
//
// After D. Vyukov's bounded MPMC queue. A slot at position p is free for the putter of p while its
// turn is 2p, holds that item while it is 2p + 1, and is free for the next lap at 2(p + capacity):
// the factor of two keeps these apart for every capacity from 1 on. Putters and takers get their
// position by one compare-and-swap on a shared count, a batch by one for the whole span.
//
// All operations may be called from any thread. They are non-blocking, but not lock-free in the
// strict sense: a thread that is stopped between getting its position and finishing with the slot
// holds up those who come to that slot. try_get() then says false although later items are there,
// and try_put() although size() is below the capacity: failures that are spurious in that sense
// happen only while another call is under way. Items come out in the order of their positions:
// first in, first out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/lockfree/detail/array.hpp"
#include "dwcp/lockfree/detail/cell.hpp"

namespace dwcp::lockfree {

template <typename T, typename Atomics = StdAtomics, typename Allocator = std::allocator<T>>
class MpmcQueue {
    static_assert(std::is_nothrow_destructible_v<T>);
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>,
                  "a move that throws would leave a slot that nobody can use: keep such items in "
                  "std::unique_ptr");

  public:
    using value_type = T;

    // Throws std::invalid_argument unless capacity, in items, is from 1 to 2^48. A power of two
    // saves a division in each call.
    explicit MpmcQueue(std::size_t capacity, const Allocator& allocator = Allocator())
        : allocator_(allocator),
          slots_(detail::checked_capacity(capacity), allocator),
          mask_((capacity & (capacity - 1)) == 0 ? capacity - 1 : 0) {
        for (std::size_t i = 0; i < capacity; ++i) {
            slots_[i].turn.store(2 * i, std::memory_order_relaxed);
        }
    }
    MpmcQueue(const MpmcQueue&) = delete;
    MpmcQueue& operator=(const MpmcQueue&) = delete;
    ~MpmcQueue() { clear(); }

    // False when the queue is full; the arguments are then untouched, unless T cannot be made of
    // them without a chance of throwing: then they went into an item that is dropped.
    template <typename... Arguments>
    [[nodiscard]] bool try_emplace(Arguments&&... arguments) {
        if constexpr (!std::is_nothrow_constructible_v<T, Arguments...>) {
            return try_emplace(T(std::forward<Arguments>(arguments)...));
        } else {
            std::uint64_t position = 0;
            Slot* const slot = claim_one(tail_, position, 0);
            if (slot == nullptr) return false;
            fill(*slot, position, std::forward<Arguments>(arguments)...);
            return true;
        }
    }
    [[nodiscard]] bool try_put(const T& item) { return try_emplace(item); }
    [[nodiscard]] bool try_put(T&& item) { return try_emplace(std::move(item)); }

    // Puts as many of the `count` items from `first` on as there is room for, in a row, and returns
    // how many. Making an item of `*first` must not throw.
    template <typename Iterator>
    std::size_t put_many(Iterator first, std::size_t count) {
        static_assert(std::is_nothrow_constructible_v<T, decltype(*first)>);
        std::uint64_t position = tail_.load(std::memory_order_relaxed);
        const std::size_t claimed = claim(tail_, position, std::min(count, capacity()), 0);
        for (std::size_t i = 0; i < claimed; ++i, ++first) {
            fill(slots_[index(position + i)], position + i, *first);
        }
        return claimed;
    }

    // False when the queue is empty.
    [[nodiscard]] bool try_get(T& item) noexcept {
        std::uint64_t position = 0;
        Slot* const slot = claim_one(head_, position, 1);
        if (slot == nullptr) return false;
        item = slot->cell.take();
        vacate(*slot, position);
        return true;
    }

    // Moves at most `max` items, in a row, to `out` and returns how many. If an assignment throws,
    // the items of this call that were not yet moved are dropped.
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        std::uint64_t position = head_.load(std::memory_order_relaxed);
        const std::size_t claimed = claim(head_, position, std::min(max, capacity()), 1);
        Span span{*this, position, position + claimed};
        for (; span.position != span.end; ++out) {
            Slot& slot = slots_[index(span.position)];
            *out = slot.cell.take();
            vacate(slot, span.position++);
        }
        return claimed;
    }

    // Copies the oldest item, which stays; false when there is none. Lock-free. Only for trivially
    // copyable items of 1, 2, 4 or 8 bytes: others could be taken away under the copy.
    [[nodiscard]] bool peek(T& item) const noexcept
        requires detail::kIsWord<T>
    {
        for (;;) {
            const std::uint64_t position = head_.load(std::memory_order_acquire);
            const Slot& slot = slots_[index(position)];
            const bool full = slot.turn.load(std::memory_order_acquire) == 2 * position + 1;
            const T copy = slot.cell.look();
            Atomics::fence(std::memory_order_acquire);
            // Still the oldest: then it was not taken before it was read.
            if (head_.load(std::memory_order_relaxed) != position) continue;
            if (full) item = copy;
            return full;
        }
    }

    // Drops the items that are there. Others may be put meanwhile.
    void clear() noexcept {
        std::uint64_t position = head_.load(std::memory_order_relaxed);
        while (const std::size_t claimed = claim(head_, position, capacity(), 1)) {
            Span{*this, position, position + claimed};
            position += claimed;
        }
    }

    // Positions given to putters but not to takers; may be outdated as soon as it is known.
    [[nodiscard]] std::size_t size() const noexcept {
        const std::uint64_t head = head_.load(std::memory_order_acquire);
        const std::uint64_t tail = tail_.load(std::memory_order_acquire);
        return std::min<std::size_t>(tail - head, capacity());
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] bool full() const noexcept { return size() == capacity(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size(); }

    // Calls `look` with each item, oldest first. Only while no other thread uses the queue.
    template <typename Function>
    void for_each(Function&& look) const {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        for (std::uint64_t at = head_.load(std::memory_order_relaxed); at != tail; ++at) {
            look(slots_[index(at)].cell.look());
        }
    }

  private:
    using Count = typename Atomics::template atomic<std::uint64_t>;

    struct Slot {
        Count turn{0};
        detail::Cell<T, Atomics> cell;
    };

    // What is left of a batch when an exception ends it.
    struct Span {
        MpmcQueue& queue;
        std::uint64_t position;
        std::uint64_t end;
        ~Span() {
            for (; position != end; ++position) {
                queue.vacate(queue.slots_[queue.index(position)], position);
            }
        }
    };

    std::size_t index(std::uint64_t position) const noexcept {
        return mask_ != 0 ? position & mask_ : position % slots_.size();
    }

    // Moves `count` on by one, from the `position` whose slot is in the turn 2p + phase; nullptr
    // when the slot is not.
    Slot* claim_one(Count& count, std::uint64_t& position, std::uint64_t phase) noexcept {
        position = count.load(std::memory_order_relaxed);
        for (;;) {
            Slot& slot = slots_[index(position)];
            const std::uint64_t turn =
                slot.turn.load(std::memory_order_acquire);  // fill(), vacate()
            if (turn == 2 * position + phase) {
                // The slots give the order; the count only has to be one's own.
                if (count.compare_exchange_weak(position, position + 1, std::memory_order_relaxed,
                                                std::memory_order_relaxed)) {
                    return &slot;
                }
                continue;
            }
            const std::uint64_t before = position;
            // Whoever tries again at once would take the line from who is about to make room.
            StdAtomics::pause();
            position = count.load(std::memory_order_relaxed);
            if (position == before) return nullptr;
        }
    }

    // Moves `count` on by as many positions, at most `max`, as have slots in the turn that is 2p +
    // phase for them. Returns how many; `position` is then the first.
    std::size_t claim(Count& count, std::uint64_t& position, std::size_t max,
                      std::uint64_t phase) noexcept {
        for (;;) {
            std::size_t ready = 0;
            while (ready < max &&
                   slots_[index(position + ready)].turn.load(std::memory_order_acquire) ==
                       2 * (position + ready) + phase) {
                ++ready;  // pairs with fill() and vacate()
            }
            if (ready > 0) {
                // The slots give the order; the count only has to be one's own.
                if (count.compare_exchange_weak(position, position + ready,
                                                std::memory_order_relaxed,
                                                std::memory_order_relaxed)) {
                    return ready;
                }
                continue;
            }
            const std::uint64_t before = position;
            position = count.load(std::memory_order_relaxed);
            if (position == before || max == 0) return 0;
        }
    }

    template <typename... Arguments>
    void fill(Slot& slot, std::uint64_t position, Arguments&&... arguments) noexcept {
        slot.cell.construct(allocator_, std::forward<Arguments>(arguments)...);
        slot.turn.store(2 * position + 1, std::memory_order_release);  // pairs with claim_one()
    }
    void vacate(Slot& slot, std::uint64_t position) noexcept {
        slot.cell.destroy(allocator_);
        slot.turn.store(2 * (position + slots_.size()), std::memory_order_release);  // as above
    }

    [[no_unique_address]] Allocator allocator_;
    detail::Array<Slot, Allocator> slots_;
    const std::size_t mask_;  // 0 where the capacity is no power of two, and for a capacity of 1
    alignas(kSeparationBytes) Count tail_{0};
    alignas(kSeparationBytes) Count head_{0};
    // Nothing else may come into the last line.
    alignas(kSeparationBytes) char end_[1] = {};
};

}  // namespace dwcp::lockfree
