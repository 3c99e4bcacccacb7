// A ring for one producer and one consumer, in which each slot says itself whether it is full.
//
// The two sides share no counts: the line that brings an item also brings the news that it is
// there, which makes the shortest way between two threads. SpscRing moves batches faster.
//
// Every operation is wait-free. put and its kin may be called by one thread at a time, the
// producer; get, peek and clear by one thread at a time, the consumer; size, empty, full by any
// thread, and they may be outdated as soon as they are known. For another thread to become the
// producer or the consumer it must have synchronised with the one before.
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
class SpscSlotRing {
    static_assert(std::is_nothrow_destructible_v<T>);

  public:
    using value_type = T;

    // Throws std::invalid_argument unless capacity, in items, is from 1 to 2^48.
    explicit SpscSlotRing(std::size_t capacity, const Allocator& allocator = Allocator())
        : allocator_(allocator), slots_(detail::checked_capacity(capacity), allocator) {}
    SpscSlotRing(const SpscSlotRing&) = delete;
    SpscSlotRing& operator=(const SpscSlotRing&) = delete;
    ~SpscSlotRing() { clear(); }

    // Producer. False when the ring is full; the arguments are then untouched. If the constructor
    // throws, nothing was put.
    template <typename... Arguments>
    [[nodiscard]] bool try_emplace(Arguments&&... arguments) {
        Slot& slot = slots_[tail_];
        if (slot.full.load(std::memory_order_acquire)) return false;  // pairs with try_get()
        slot.cell.construct(allocator_, std::forward<Arguments>(arguments)...);
        slot.full.store(true, std::memory_order_release);  // pairs with try_get()
        advance(tail_, put_);
        return true;
    }
    [[nodiscard]] bool try_put(const T& item) { return try_emplace(item); }
    [[nodiscard]] bool try_put(T&& item) { return try_emplace(std::move(item)); }

    // Producer. Puts as many of the `count` items from `first` on as there is room for, and returns
    // how many. If a constructor throws, those before it were put.
    template <typename Iterator>
    std::size_t put_many(Iterator first, std::size_t count) {
        std::size_t done = 0;
        for (; done < count && try_emplace(*first); ++done) ++first;
        return done;
    }

    // Consumer. False when the ring is empty. If the assignment throws, the item is still there.
    [[nodiscard]] bool try_get(T& item) {
        Slot& slot = slots_[head_];
        if (!slot.full.load(std::memory_order_acquire)) return false;  // pairs with try_emplace()
        item = slot.cell.take();
        slot.cell.destroy(allocator_);
        slot.full.store(false, std::memory_order_release);  // pairs with try_emplace()
        advance(head_, taken_);
        return true;
    }

    // Consumer. Moves at most `max` items to `out` and returns how many. If an assignment throws,
    // those before it were taken.
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        std::size_t done = 0;
        for (; done < max; ++done, ++out) {
            Slot& slot = slots_[head_];
            if (!slot.full.load(std::memory_order_acquire)) break;  // pairs with try_emplace()
            *out = slot.cell.take();
            slot.cell.destroy(allocator_);
            slot.full.store(false, std::memory_order_release);  // pairs with try_emplace()
            advance(head_, taken_);
        }
        return done;
    }

    // Consumer. Calls `look` with the oldest item, which stays; false when there is none.
    template <typename Function>
    bool peek(Function&& look) {
        Slot& slot = slots_[head_];
        if (!slot.full.load(std::memory_order_acquire)) return false;  // pairs with try_emplace()
        std::forward<Function>(look)(slot.cell.look());
        return true;
    }

    // Consumer. Drops all items.
    void clear() noexcept {
        while (slots_[head_].full.load(std::memory_order_acquire)) {
            slots_[head_].cell.destroy(allocator_);
            slots_[head_].full.store(false, std::memory_order_release);
            advance(head_, taken_);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept {
        const std::uint64_t taken = taken_.load(std::memory_order_acquire);
        const std::uint64_t put = put_.load(std::memory_order_acquire);
        // A count follows its slot: an item may have been taken before it was counted.
        return put < taken ? 0 : std::min<std::size_t>(put - taken, capacity());
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] bool full() const noexcept { return size() == capacity(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size(); }

    // Calls `look` with each item, oldest first. Only while no other thread uses the ring.
    template <typename Function>
    void for_each(Function&& look) const {
        const std::size_t items = size();
        for (std::size_t i = 0, at = head_; i < items; ++i) {
            look(slots_[at].cell.look());
            if (++at == capacity()) at = 0;
        }
    }

  private:
    using Count = typename Atomics::template atomic<std::uint64_t>;

    struct Slot {
        typename Atomics::template atomic<bool> full{false};
        detail::Cell<T, Atomics> cell;
    };

    void advance(std::size_t& place, Count& count) noexcept {
        if (++place == slots_.size()) place = 0;
        // Each count has one writer; it is for size() only.
        count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    [[no_unique_address]] Allocator allocator_;
    detail::Array<Slot, Allocator> slots_;
    // The producer's.
    alignas(kSeparationBytes) std::size_t tail_ = 0;
    Count put_{0};
    // The consumer's.
    alignas(kSeparationBytes) std::size_t head_ = 0;
    Count taken_{0};
};

}  // namespace dwcp::lockfree
