// A ring for one producer and one consumer, in which both remember how far the other one was.
//
// The producer owns the count of items put, the consumer that of items taken. Each keeps a copy of
// the other's count and looks at the real one only when the copy says full or empty, so that the
// line with the count does not travel for every item (the idea of rigtorp's SPSCQueue and folly's
// ProducerConsumerQueue). The best choice for batches; SpscSlotRing has the shorter way for one
// item.
//
// A side whose last batch was cut short follows at the other's heels. It pauses for a moment (one
// pause of the processor) before it looks again, or the two would take the lines from each other
// for every few items.
//
// Every operation is wait-free. put and its kin may be called by one thread at a time, the
// producer; get, peek and clear by one thread at a time, the consumer; size, empty, full by any
// thread, and they may be outdated as soon as they are known. For another thread to become the
// producer or the consumer it must have synchronised with the one before.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/lockfree/detail/array.hpp"
#include "dwcp/lockfree/detail/cell.hpp"

namespace dwcp::lockfree {

template <typename T, typename Atomics = StdAtomics, typename Allocator = std::allocator<T>>
class SpscRing {
    static_assert(std::is_nothrow_destructible_v<T>);

  public:
    using value_type = T;

    // Throws std::invalid_argument unless capacity, in items, is from 1 to 2^48.
    explicit SpscRing(std::size_t capacity, const Allocator& allocator = Allocator())
        : capacity_(detail::checked_capacity(capacity)),
          mask_(std::bit_ceil(capacity) - 1),
          allocator_(allocator),
          slots_(mask_ + 1, allocator) {}
    SpscRing(const SpscRing&) = delete;
    SpscRing& operator=(const SpscRing&) = delete;
    ~SpscRing() { clear(); }

    // Producer. False when the ring is full; the arguments are then untouched. If the constructor
    // throws, nothing was put.
    template <typename... Arguments>
    [[nodiscard]] bool try_emplace(Arguments&&... arguments) {
        const std::uint64_t tail = put_.load(std::memory_order_relaxed);
        if (room(tail, 1) == 0) return false;
        slots_[tail & mask_].construct(allocator_, std::forward<Arguments>(arguments)...);
        put_.store(tail + 1, std::memory_order_release);  // pairs with items()
        return true;
    }
    [[nodiscard]] bool try_put(const T& item) { return try_emplace(item); }
    [[nodiscard]] bool try_put(T&& item) { return try_emplace(std::move(item)); }

    // Producer. Puts as many of the `count` items from `first` on as there is room for, and returns
    // how many. The consumer sees them at once. If a constructor throws, those before it were put.
    template <typename Iterator>
    std::size_t put_many(Iterator first, std::size_t count) {
        const std::uint64_t tail = put_.load(std::memory_order_relaxed);
        const std::size_t fitting = std::min(count, room(tail, count));
        if constexpr (detail::kIsMemory<Iterator, T>) {
            const T* const items = std::to_address(first);
            const std::size_t before_end = std::min(fitting, slots_.size() - (tail & mask_));
            copy(slots_[tail & mask_].address(), items, before_end);
            copy(slots_[0].address(), items + before_end, fitting - before_end);
            put_.store(tail + fitting, std::memory_order_release);  // pairs with items()
            return fitting;
        }
        Publication publication{put_, tail};
        for (; publication.position != tail + fitting; ++publication.position, ++first) {
            slots_[publication.position & mask_].construct(allocator_, *first);
        }
        return fitting;
    }

    // Consumer. False when the ring is empty. If the assignment throws, the item is still there.
    [[nodiscard]] bool try_get(T& item) {
        const std::uint64_t head = taken_.load(std::memory_order_relaxed);
        if (items(head, 1) == 0) return false;
        item = slots_[head & mask_].take();
        slots_[head & mask_].destroy(allocator_);
        taken_.store(head + 1, std::memory_order_release);  // pairs with room()
        return true;
    }

    // Consumer. Moves at most `max` items to `out` and returns how many. If an assignment throws,
    // those before it were taken.
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        const std::uint64_t head = taken_.load(std::memory_order_relaxed);
        const std::size_t there = std::min(max, items(head, max));
        if constexpr (detail::kIsMemory<Iterator, T>) {
            T* const items = std::to_address(out);
            const std::size_t before_end = std::min(there, slots_.size() - (head & mask_));
            copy(items, slots_[head & mask_].address(), before_end);
            copy(items + before_end, slots_[0].address(), there - before_end);
            taken_.store(head + there, std::memory_order_release);  // pairs with room()
            return there;
        }
        Publication publication{taken_, head};
        for (; publication.position != head + there; ++publication.position, ++out) {
            auto& slot = slots_[publication.position & mask_];
            *out = slot.take();
            slot.destroy(allocator_);
        }
        return there;
    }

    // Consumer. Calls `look` with the oldest item, which stays; false when there is none.
    template <typename Function>
    bool peek(Function&& look) {
        const std::uint64_t head = taken_.load(std::memory_order_relaxed);
        if (items(head, 1) == 0) return false;
        std::forward<Function>(look)(slots_[head & mask_].look());
        return true;
    }

    // Consumer. Drops all items.
    void clear() noexcept {
        std::uint64_t head = taken_.load(std::memory_order_relaxed);
        const std::uint64_t tail = put_.load(std::memory_order_acquire);
        for (; head != tail; ++head) slots_[head & mask_].destroy(allocator_);
        taken_.store(head, std::memory_order_release);
    }

    [[nodiscard]] std::size_t size() const noexcept {
        // Taken first: the other way round there could be more taken than put.
        const std::uint64_t head = taken_.load(std::memory_order_acquire);
        const std::uint64_t tail = put_.load(std::memory_order_acquire);
        return std::min<std::size_t>(tail - head, capacity_);
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] bool full() const noexcept { return size() == capacity_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    // Calls `look` with each item, oldest first. Only while no other thread uses the ring.
    template <typename Function>
    void for_each(Function&& look) const {
        const std::uint64_t tail = put_.load(std::memory_order_relaxed);
        for (std::uint64_t at = taken_.load(std::memory_order_relaxed); at != tail; ++at) {
            look(slots_[at & mask_].look());
        }
    }

  private:
    using Count = typename Atomics::template atomic<std::uint64_t>;

    // Makes known how far a batch came, also when an exception ends it.
    struct Publication {
        Count& count;
        std::uint64_t position;
        ~Publication() { count.store(position, std::memory_order_release); }
    };

    static void copy(void* to, const void* from, std::size_t count) noexcept {
        if (count > 0) std::memcpy(to, from, count * sizeof(T));
    }

    // Producer. How many items fit; the real count of the other side is read when fewer than
    // wanted.
    std::size_t room(std::uint64_t tail, std::size_t wanted) noexcept {
        const auto known = [&] { return capacity_ - (tail - taken_seen_); };
        if (known() < wanted) {
            if (had_less_room_) StdAtomics::pause();
            taken_seen_ = taken_.load(std::memory_order_acquire);  // pairs with try_get()
            had_less_room_ = wanted > 1 && known() < wanted;
        }
        return known();
    }
    // Consumer. How many items are there.
    std::size_t items(std::uint64_t head, std::size_t wanted) noexcept {
        const auto known = [&] { return put_seen_ - head; };
        if (known() < wanted) {
            if (had_fewer_items_) StdAtomics::pause();
            put_seen_ = put_.load(std::memory_order_acquire);  // pairs with try_emplace()
            had_fewer_items_ = wanted > 1 && known() < wanted;
        }
        return known();
    }

    const std::size_t capacity_;
    const std::size_t mask_;
    [[no_unique_address]] Allocator allocator_;
    // Each item is one thread's at a time: a word needs no atomic either.
    using Cell = detail::Cell<T, Atomics, false>;
    static_assert(sizeof(Cell) == sizeof(T));
    detail::Array<Cell, Allocator> slots_;
    // The producer's.
    alignas(kSeparationBytes) Count put_{0};
    std::uint64_t taken_seen_ = 0;
    bool had_less_room_ = false;  // than the last batch wanted
    // The consumer's.
    alignas(kSeparationBytes) Count taken_{0};
    std::uint64_t put_seen_ = 0;
    bool had_fewer_items_ = false;  // than the last batch wanted
};

}  // namespace dwcp::lockfree
