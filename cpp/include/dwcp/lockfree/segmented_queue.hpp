// An unbounded queue for any number of producers and consumers: a list of arrays of slots.
//
// A position is had by one compare-and-swap on a count in the segment, and a slot is filled and
// emptied by one store. When a segment is used up the next one is linked. A segment that all takers
// have left goes to a pool, and is used again once every slot of it has been emptied; until then a
// new one is made. Segments are freed with the queue only, and their counts carry a number that
// changes with each use: so a thread that comes late reads valid memory, and its compare-and-swap
// fails.
//
// All operations may be called from any thread. They are non-blocking, but not lock-free in the
// strict sense: a producer that is stopped between getting its position and filling the slot holds
// up the consumers, and try_get() says false meanwhile although later items are there. Items come
// out in the order of their positions: first in, first out. Memory stays at the most that was ever
// needed at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/lockfree/detail/cell.hpp"
#include "dwcp/lockfree/detail/node_pool.hpp"

namespace dwcp::lockfree {

template <typename T, typename Atomics = StdAtomics, typename Allocator = std::allocator<T>,
          std::uint32_t kSlots = std::clamp<std::uint32_t>(16384 / (sizeof(T) + 8), 16, 1024)>
class SegmentedQueue {
    static_assert(std::is_nothrow_destructible_v<T>);
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>,
                  "a move that throws would leave a slot that nobody can use: keep such items in "
                  "std::unique_ptr");

  public:
    using value_type = T;

    // Throws std::bad_alloc.
    explicit SegmentedQueue(const Allocator& allocator = Allocator())
        : allocator_(allocator), segments_(allocator) {
        const std::uint32_t first = segments_.take();
        head_.store(Tagged{first, 0}.word(), std::memory_order_relaxed);
        tail_.store(Tagged{first, 0}.word(), std::memory_order_relaxed);
    }
    SegmentedQueue(const SegmentedQueue&) = delete;
    SegmentedQueue& operator=(const SegmentedQueue&) = delete;
    ~SegmentedQueue() { clear(); }

    // Throws std::bad_alloc when the allocator does, and what making an item throws; nothing was
    // put then.
    template <typename... Arguments>
    void emplace(Arguments&&... arguments) {
        if constexpr (!std::is_nothrow_constructible_v<T, Arguments...>) {
            emplace(T(std::forward<Arguments>(arguments)...));
        } else {
            Span span;
            claim_to_put(1, span);
            fill(span.segment->slots[span.begin], std::forward<Arguments>(arguments)...);
        }
    }
    void put(const T& item) { emplace(item); }
    void put(T&& item) { emplace(std::move(item)); }

    // Puts `count` items; those of one segment in a row. Making an item of `*first` must not throw.
    // Throws std::bad_alloc when the allocator does: `done`, if given, then tells how many were
    // put.
    template <typename Iterator>
    void put_many(Iterator first, std::size_t count, std::size_t* done = nullptr) {
        static_assert(std::is_nothrow_constructible_v<T, decltype(*first)>);
        std::size_t left = count;
        if (done != nullptr) *done = 0;
        while (left > 0) {
            Span span;
            claim_to_put(left, span);
            for (std::uint32_t i = span.begin; i != span.end; ++i, ++first) {
                fill(span.segment->slots[i], *first);
            }
            left -= span.end - span.begin;
            if (done != nullptr) *done = count - left;
        }
    }

    // False when the queue is empty.
    [[nodiscard]] bool try_get(T& item) noexcept {
        Span span;
        if (!claim_to_get(1, span)) return false;
        Slot& slot = span.segment->slots[span.begin];
        item = slot.cell.take();
        vacate(slot);
        return true;
    }

    // Moves at most `max` items to `out` and returns how many; those of one segment in a row. If an
    // assignment throws, items of this call that were not yet moved are dropped.
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        std::size_t done = 0;
        while (done < max) {
            Emptied emptied{*this, {}};
            if (!claim_to_get(max - done, emptied.span)) break;
            done += emptied.span.end - emptied.span.begin;
            for (; emptied.span.begin != emptied.span.end; ++out) {
                Slot& slot = emptied.span.segment->slots[emptied.span.begin];
                *out = slot.cell.take();
                vacate(slot);
                ++emptied.span.begin;
            }
        }
        return done;
    }

    // Copies the oldest item, which stays; false when there is none. Only for trivially copyable
    // items of 1, 2, 4 or 8 bytes: others could be taken away under the copy.
    [[nodiscard]] bool peek(T& item) noexcept
        requires detail::kIsWord<T>
    {
        for (;;) {
            const std::uint64_t where = head_.load(std::memory_order_acquire);
            const Segment& segment = segments_[Tagged::of(where).index];
            const std::uint64_t head = segment.head.load(std::memory_order_acquire);
            const Tagged at = Tagged::of(head);
            if (at.tag != Tagged::of(where).tag) continue;
            if (at.index == kSlots) {
                if (next_of(segment, where).index == Tagged::kNone) {
                    if (head_.load(std::memory_order_acquire) == where) return false;
                } else {
                    advance_head(where);
                }
                continue;
            }
            const bool full = segment.slots[at.index].full.load(std::memory_order_acquire);
            const T copy = segment.slots[at.index].cell.look();
            Atomics::fence(std::memory_order_acquire);
            if (segment.head.load(std::memory_order_relaxed) != head) continue;
            if (full) item = copy;
            return full;
        }
    }

    // Drops the items that are there. Others may be put meanwhile.
    void clear() noexcept {
        Emptied emptied{*this, {}};
        while (claim_to_get(kSlots, emptied.span)) emptied.drop();
    }

    // Positions given to putters but not to takers; may be outdated as soon as it is known.
    [[nodiscard]] std::size_t size() const noexcept {
        const std::uint64_t head = position(head_, &Segment::head);
        const std::uint64_t tail = position(tail_, &Segment::tail);
        return tail > head ? tail - head : 0;
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    // Calls `look` with each item, oldest first. Only while no other thread uses the queue.
    template <typename Function>
    void for_each(Function&& look) const {
        for (std::uint64_t where = head_.load(std::memory_order_relaxed);;) {
            const Segment& segment = segments_[Tagged::of(where).index];
            const Tagged head = Tagged::of(segment.head.load(std::memory_order_relaxed));
            const Tagged tail = Tagged::of(segment.tail.load(std::memory_order_relaxed));
            for (std::uint32_t i = head.index; i < tail.index; ++i) {
                look(segment.slots[i].cell.look());
            }
            const Tagged next = next_of(segment, where);
            if (next.index == Tagged::kNone) return;
            where = start_of(next.index);
        }
    }

  private:
    using Tagged = detail::Tagged;
    using Word = typename Atomics::template atomic<std::uint64_t>;

    struct Slot {
        typename Atomics::template atomic<bool> full{false};
        detail::Cell<T, Atomics> cell;
    };
    // In head, tail and next the tag is the number of the segment's use.
    struct Segment {
        alignas(kSeparationBytes) Word tail{0};
        Word next{Tagged{Tagged::kNone, 0}.word()};
        Word base{0};  // position of the first slot in the queue
        typename Atomics::template atomic<std::uint32_t> free_next{Tagged::kNone};
        alignas(kSeparationBytes) Word head{0};
        alignas(kSeparationBytes) Slot slots[kSlots];
    };
    struct Span {
        Segment* segment = nullptr;
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
    };
    struct Emptied {
        SegmentedQueue& queue;
        Span span;
        void drop() noexcept {
            for (; span.begin != span.end; ++span.begin) {
                queue.vacate(span.segment->slots[span.begin]);
            }
        }
        ~Emptied() { drop(); }
    };

    template <typename... Arguments>
    void fill(Slot& slot, Arguments&&... arguments) noexcept {
        slot.cell.construct(allocator_, std::forward<Arguments>(arguments)...);
        slot.full.store(true, std::memory_order_release);  // pairs with claim_to_get()
    }
    void vacate(Slot& slot) noexcept {
        slot.cell.destroy(allocator_);
        slot.full.store(false, std::memory_order_release);  // pairs with take_segment()
    }

    void claim_to_put(std::size_t count, Span& span) {
        for (;;) {
            const std::uint64_t where = tail_.load(std::memory_order_acquire);
            Segment& segment = segments_[Tagged::of(where).index];
            std::uint64_t tail = segment.tail.load(std::memory_order_relaxed);
            for (;;) {
                const Tagged at = Tagged::of(tail);
                if (at.tag != Tagged::of(where).tag) break;  // used anew; tail_ has gone on
                if (at.index == kSlots) {
                    append(where);
                    break;
                }
                const auto taken =
                    static_cast<std::uint32_t>(std::min<std::size_t>(count, kSlots - at.index));
                // The slots are empty: whoever made the segment ready saw that, and it is linked by
                // a release that where was read from.
                if (segment.tail.compare_exchange_weak(
                        tail, tail + taken, std::memory_order_relaxed, std::memory_order_relaxed)) {
                    span = {&segment, at.index, at.index + taken};
                    return;
                }
            }
        }
    }

    bool claim_to_get(std::size_t max, Span& span) noexcept {
        for (;;) {
            const std::uint64_t where = head_.load(std::memory_order_acquire);
            Segment& segment = segments_[Tagged::of(where).index];
            std::uint64_t head = segment.head.load(std::memory_order_acquire);
            const Tagged at = Tagged::of(head);
            if (at.tag != Tagged::of(where).tag) continue;  // used anew; head_ has gone on
            if (at.index == kSlots) {
                if (next_of(segment, where).index != Tagged::kNone) {
                    advance_head(where);
                } else if (head_.load(std::memory_order_acquire) == where) {
                    return false;
                }
                continue;
            }
            const auto wanted =
                static_cast<std::uint32_t>(std::min<std::size_t>(max, kSlots - at.index));
            std::uint32_t there = 0;
            while (there < wanted && segment.slots[at.index + there].full.load(
                                         std::memory_order_acquire)) {  // pairs with fill()
                ++there;
            }
            if (there == 0) {
                // Not full then, unless another thread took it or the segment is in use anew.
                Atomics::fence(std::memory_order_acquire);
                if (segment.head.load(std::memory_order_relaxed) == head) return false;
                continue;
            }
            if (segment.head.compare_exchange_weak(head, head + there, std::memory_order_acquire,
                                                   std::memory_order_relaxed)) {
                span = {&segment, at.index, at.index + there};
                return true;
            }
        }
    }

    // Links a segment behind the one that is used up, and moves the tail on.
    void append(std::uint64_t where) {
        Segment& segment = segments_[Tagged::of(where).index];
        std::uint64_t next = Tagged{Tagged::kNone, Tagged::of(where).tag}.word();
        if (segment.next.load(std::memory_order_acquire) == next) {
            const std::uint32_t fresh = take_segment();
            segments_[fresh].base.store(segment.base.load(std::memory_order_relaxed) + kSlots,
                                        std::memory_order_relaxed);
            // pairs with next_of(): makes the fresh segment known
            if (!segment.next.compare_exchange_strong(
                    next, Tagged{fresh, Tagged::of(where).tag}.word(), std::memory_order_release,
                    std::memory_order_relaxed)) {
                segments_.give(fresh);
            }
        }
        const Tagged linked = next_of(segment, where);
        if (linked.index != Tagged::kNone) move(tail_, where, linked.index);
    }

    // Moves the head on, and gives the segment before it to the pool.
    void advance_head(std::uint64_t where) noexcept {
        Segment& segment = segments_[Tagged::of(where).index];
        const Tagged next = next_of(segment, where);
        if (next.index == Tagged::kNone) return;
        // A segment in the pool must not be where putters go.
        move(tail_, where, next.index);
        if (move(head_, where, next.index)) segments_.give(Tagged::of(where).index);
    }

    bool move(Word& place, std::uint64_t from, std::uint32_t to) noexcept {
        // If the segment behind is used anew, place has changed.
        return place.compare_exchange_strong(from, start_of(to), std::memory_order_acq_rel,
                                             std::memory_order_acquire);
    }

    // What follows the segment in the use that `where` names; none when it is used anew.
    Tagged next_of(const Segment& segment, std::uint64_t where) const noexcept {
        const Tagged next = Tagged::of(segment.next.load(std::memory_order_acquire));
        return next.tag == Tagged::of(where).tag ? next : Tagged{};
    }
    std::uint64_t start_of(std::uint32_t index) const noexcept {
        const std::uint64_t next = segments_[index].next.load(std::memory_order_acquire);
        return Tagged{index, Tagged::of(next).tag}.word();
    }

    // A segment whose slots are all empty, with a new number of use. Throws std::bad_alloc.
    std::uint32_t take_segment() {
        const std::uint32_t index = segments_.take();
        Segment& segment = segments_[index];
        if (!is_vacant(segment)) {
            // Somebody is slow with the last items of it.
            const std::uint32_t other = segments_.take_new();
            segments_.give(index);
            return other;
        }
        const std::uint32_t use = Tagged::of(segment.tail.load(std::memory_order_relaxed)).tag + 1;
        // In this order a thread that is late finds no place in it.
        segment.next.store(Tagged{Tagged::kNone, use}.word(), std::memory_order_relaxed);
        segment.tail.store(Tagged{0, use}.word(), std::memory_order_relaxed);
        segment.head.store(Tagged{0, use}.word(), std::memory_order_relaxed);
        return index;
    }
    static bool is_vacant(const Segment& segment) noexcept {
        for (const Slot& slot : segment.slots) {
            if (slot.full.load(std::memory_order_acquire)) return false;  // pairs with vacate()
        }
        return true;
    }

    std::uint64_t position(const Word& place, Word Segment::* count) const noexcept {
        for (;;) {
            const std::uint64_t where = place.load(std::memory_order_acquire);
            const Segment& segment = segments_[Tagged::of(where).index];
            const Tagged at = Tagged::of((segment.*count).load(std::memory_order_relaxed));
            const std::uint64_t base = segment.base.load(std::memory_order_relaxed);
            Atomics::fence(std::memory_order_acquire);
            if (place.load(std::memory_order_relaxed) == where) return base + at.index;
        }
    }

    [[no_unique_address]] Allocator allocator_;
    detail::NodePool<Segment, Atomics, Allocator, 1> segments_;
    alignas(kSeparationBytes) Word head_{0};
    alignas(kSeparationBytes) Word tail_{0};
};

}  // namespace dwcp::lockfree
