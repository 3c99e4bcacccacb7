// An unbounded queue for any number of producers and consumers: the list of M. Michael and M. Scott
// (PODC 1996), with numbered nodes and tags in place of pointers. SegmentedQueue is the faster one.
//
// The first node of the list is a dummy whose item was taken already. A node goes back to the pool
// when two things have happened to it, in whichever order: it stopped being the dummy, and its item
// was moved out. Nodes are freed with the queue only, so that a thread that comes late reads a
// valid node, and sees by a tag that it was late: memory stays at the most that was ever needed at
// once, and what threads keep for themselves (see detail/node_cache.hpp).
//
// All operations may be called from any thread, but not from a signal handler that may have
// interrupted one of them. They are lock-free, but for the allocator, which is called when no node
// is left over. No failure is spurious; items come out first in, first out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/lockfree/detail/cell.hpp"
#include "dwcp/lockfree/detail/node_cache.hpp"

namespace dwcp::lockfree {

// The memory of the first kFirstNodes nodes, a power of two, is taken by the constructor.
template <typename T, typename Atomics = StdAtomics, typename Allocator = std::allocator<T>,
          std::size_t kFirstNodes = 256>
class MichaelScottQueue {
    static_assert(std::is_nothrow_destructible_v<T>);

  public:
    using value_type = T;

    // Throws std::bad_alloc.
    explicit MichaelScottQueue(const Allocator& allocator = Allocator())
        : allocator_(allocator), nodes_(allocator) {
        const std::uint32_t dummy = nodes_.take();
        nodes_[dummy].taken.store(true, std::memory_order_relaxed);
        head_.store(Tagged{dummy, 0}.word(), std::memory_order_relaxed);
        tail_.store(Tagged{dummy, 0}.word(), std::memory_order_relaxed);
    }
    MichaelScottQueue(const MichaelScottQueue&) = delete;
    MichaelScottQueue& operator=(const MichaelScottQueue&) = delete;
    ~MichaelScottQueue() { clear(); }

    // Throws std::bad_alloc when the allocator does, and what the constructor of the item throws;
    // nothing was put then.
    template <typename... Arguments>
    void emplace(Arguments&&... arguments) {
        const std::uint32_t index = make(std::forward<Arguments>(arguments)...);
        link(index, index, 1);
    }
    void put(const T& item) { emplace(item); }
    void put(T&& item) { emplace(std::move(item)); }

    // Puts `count` items in a row. Throws as put() does; nothing was put then.
    template <typename Iterator>
    void put_many(Iterator first, std::size_t count) {
        if (count == 0) return;
        Chain chain{*this};
        for (std::size_t i = 0; i < count; ++i, ++first) chain.add(*first);
        link(chain.first, chain.last, count);
        chain.first = Tagged::kNone;
    }

    // False when the queue is empty. If the assignment throws, the item is dropped.
    [[nodiscard]] bool try_get(T& item) {
        std::uint64_t head = head_.load(std::memory_order_acquire);
        for (;;) {
            const Node& dummy = nodes_[Tagged::of(head).index];
            const std::uint64_t next = dummy.next.load(std::memory_order_acquire);
            const std::uint64_t tail = tail_.load(std::memory_order_acquire);
            const std::uint32_t index = Tagged::of(next).index;
            if (index == Tagged::kNone || Tagged::of(tail).index == Tagged::of(head).index) {
                const std::uint64_t now = head_.load(std::memory_order_acquire);
                if (now == head) {
                    if (index == Tagged::kNone) return false;
                    help(tail, next);  // the head must not pass the tail
                }
                head = now;
                continue;
            }
            if (head_.compare_exchange_weak(head, Tagged::of(head).then(index),
                                            std::memory_order_acq_rel, std::memory_order_acquire)) {
                leave(Tagged::of(head).index);
                const Taken taken{*this, index};
                item = nodes_[index].cell.take();
                return true;
            }
        }
    }

    // Moves at most `max` items, in a row, to `out` and returns how many. If an assignment throws,
    // the items of this call that were not yet moved are dropped.
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        if (max == 0) return 0;
        std::uint64_t head = head_.load(std::memory_order_acquire);
        std::size_t count = 0;
        std::uint32_t last = Tagged::kNone;
        do {
            count = walk(head, max, last);
            if (count == 0) return 0;
        } while (!head_.compare_exchange_weak(head, Tagged::of(head).then(last),
                                              std::memory_order_acq_rel,
                                              std::memory_order_acquire));
        Removed removed{*this, Tagged::of(head).index, count};
        for (; removed.count > 0; ++out) removed.next(out);
        return count;
    }

    // Copies the oldest item, which stays; false when there is none. Only for trivially copyable
    // items of 1, 2, 4 or 8 bytes: others could be taken away under the copy.
    [[nodiscard]] bool peek(T& item) const noexcept
        requires detail::kIsWord<T>
    {
        for (;;) {
            const std::uint64_t head = head_.load(std::memory_order_acquire);
            const Tagged next =
                Tagged::of(nodes_[Tagged::of(head).index].next.load(std::memory_order_acquire));
            const bool there = next.index != Tagged::kNone;
            const T copy = there ? nodes_[next.index].cell.look() : T();
            Atomics::fence(std::memory_order_acquire);
            if (head_.load(std::memory_order_relaxed) != head) continue;
            if (there) item = copy;
            return there;
        }
    }

    // Drops the items that are there. Others may be put meanwhile.
    void clear() noexcept {
        for (;;) {
            std::uint64_t head = head_.load(std::memory_order_acquire);
            std::uint32_t last = Tagged::kNone;
            const std::size_t count = walk(head, kWalkMax, last);
            if (count == 0) return;
            if (head_.compare_exchange_strong(head, Tagged::of(head).then(last),
                                              std::memory_order_acq_rel,
                                              std::memory_order_acquire)) {
                const Removed removed{*this, Tagged::of(head).index, count};
            }
        }
    }

    // May be outdated as soon as it is known.
    [[nodiscard]] std::size_t size() const noexcept {
        // The head first: the tail was not behind it then, and is not now.
        const std::uint32_t head = position_of(head_);
        return position_of(tail_) - head;
    }
    [[nodiscard]] bool empty() const noexcept {
        for (;;) {
            const std::uint64_t head = head_.load(std::memory_order_acquire);
            const Tagged next =
                Tagged::of(nodes_[Tagged::of(head).index].next.load(std::memory_order_acquire));
            if (head_.load(std::memory_order_relaxed) == head) return next.index == Tagged::kNone;
        }
    }

    // Calls `look` with each item, oldest first. Only while no other thread uses the queue.
    template <typename Function>
    void for_each(Function&& look) const {
        std::uint32_t at = Tagged::of(head_.load(std::memory_order_relaxed)).index;
        for (;;) {
            at = Tagged::of(nodes_[at].next.load(std::memory_order_relaxed)).index;
            if (at == Tagged::kNone) return;
            look(nodes_[at].cell.look());
        }
    }

  private:
    using Tagged = detail::Tagged;
    using Word = typename Atomics::template atomic<std::uint64_t>;
    using Half = typename Atomics::template atomic<std::uint32_t>;

    static constexpr std::size_t kWalkMax = 256;

    struct Node {
        // The tag goes on when the node is used again.
        Word next{Tagged{}.word()};
        Half position{0};                                      // counted on, modulo 2^32
        typename Atomics::template atomic<bool> taken{false};  // the item was moved out
        Half free_next{Tagged::kNone};
        Half bundle_next{Tagged::kNone};
        detail::Cell<T, Atomics> cell;
    };
    using Nodes = detail::CachedNodePool<Node, Atomics, Allocator, kFirstNodes>;

    // Nodes with items, linked, that nobody else knows of.
    struct Chain {
        MichaelScottQueue& queue;
        std::uint32_t first = Tagged::kNone;
        std::uint32_t last = Tagged::kNone;

        template <typename Item>
        void add(Item&& item) {
            const std::uint32_t index = queue.make(std::forward<Item>(item));
            if (first == Tagged::kNone) {
                first = index;
            } else {
                Word& next = queue.nodes_[last].next;
                const Tagged old = Tagged::of(next.load(std::memory_order_relaxed));
                // release: a thread that is late may follow it
                next.store(old.then(index), std::memory_order_release);
            }
            last = index;
        }
        ~Chain() {
            while (first != Tagged::kNone) {
                const std::uint32_t index = first;
                Node& node = queue.nodes_[index];
                first = Tagged::of(node.next.load(std::memory_order_relaxed)).index;
                node.cell.destroy(queue.allocator_);
                queue.nodes_.give(index);
            }
        }
    };

    // `count` items behind a node that was the dummy: the caller's. Whatever is left is dropped.
    struct Removed {
        MichaelScottQueue& queue;
        std::uint32_t dummy;
        std::size_t count;

        template <typename Iterator>
        void next(Iterator& out) {
            const std::uint32_t index = follow();
            const Taken taken{queue, index};
            *out = queue.nodes_[index].cell.take();
        }
        std::uint32_t follow() noexcept {
            // It is nobody else's before it is left.
            Node& node = queue.nodes_[dummy];
            const std::uint32_t index = Tagged::of(node.next.load(std::memory_order_acquire)).index;
            queue.leave(dummy);
            dummy = index;
            --count;
            return index;
        }
        ~Removed() {
            while (count > 0) const Taken taken{queue, follow()};
        }
    };
    struct Taken {
        MichaelScottQueue& queue;
        std::uint32_t index;
        ~Taken() {
            Node& node = queue.nodes_[index];
            node.cell.destroy(queue.allocator_);
            node.taken.store(true, std::memory_order_release);  // pairs with leave()
        }
    };

    // Gives back a node that is no longer the dummy, once its item was moved out.
    void leave(std::uint32_t index) noexcept {
        if (nodes_[index].taken.load(std::memory_order_acquire)) {  // pairs with Taken
            nodes_.give(index);
        } else {
            put_aside(index);
        }
        if (Tagged::of(aside_.load(std::memory_order_relaxed)).index != Tagged::kNone) try_aside();
    }
    void put_aside(std::uint32_t index) noexcept {
        std::uint64_t aside = aside_.load(std::memory_order_relaxed);
        do {
            nodes_[index].free_next.store(Tagged::of(aside).index, std::memory_order_relaxed);
        } while (!aside_.compare_exchange_weak(aside, Tagged::of(aside).then(index),
                                               std::memory_order_release,
                                               std::memory_order_relaxed));  // pairs with below
    }
    // Looks once at each node that was put aside.
    void try_aside() noexcept {
        std::uint32_t index =
            Tagged::of(aside_.exchange(Tagged{}.word(), std::memory_order_acquire)).index;
        while (index != Tagged::kNone) {
            const std::uint32_t next = nodes_[index].free_next.load(std::memory_order_relaxed);
            if (nodes_[index].taken.load(std::memory_order_acquire)) {
                nodes_.give(index);
            } else {
                put_aside(index);
            }
            index = next;
        }
    }

    // A node with an item; it goes back to the pool when that throws.
    template <typename... Arguments>
    std::uint32_t make(Arguments&&... arguments) {
        typename Nodes::Owned owned{nodes_, nodes_.take()};
        Node& node = nodes_[owned.index];
        node.cell.construct(allocator_, std::forward<Arguments>(arguments)...);
        const Tagged old = Tagged::of(node.next.load(std::memory_order_relaxed));
        node.next.store(old.then(Tagged::kNone), std::memory_order_relaxed);
        node.taken.store(false, std::memory_order_relaxed);
        return std::exchange(owned.index, Tagged::kNone);
    }

    // Appends `count` linked nodes.
    void link(std::uint32_t first, std::uint32_t last, std::size_t count) noexcept {
        for (;;) {
            std::uint64_t tail = tail_.load(std::memory_order_acquire);
            Node& node = nodes_[Tagged::of(tail).index];
            const std::uint32_t position = node.position.load(std::memory_order_relaxed);
            std::uint64_t next = node.next.load(std::memory_order_acquire);
            if (tail_.load(std::memory_order_acquire) != tail) continue;
            if (Tagged::of(next).index != Tagged::kNone) {
                help(tail, next);
                continue;
            }
            number(first, last, position, count);
            // pairs with the loads of next
            if (node.next.compare_exchange_strong(next, Tagged::of(next).then(first),
                                                  std::memory_order_release,
                                                  std::memory_order_relaxed)) {
                // Where this fails, another thread has moved the tail on, one node at a time.
                tail_.compare_exchange_strong(tail, Tagged::of(tail).then(last),
                                              std::memory_order_release, std::memory_order_relaxed);
                return;
            }
        }
    }
    void help(std::uint64_t tail, std::uint64_t next) noexcept {
        tail_.compare_exchange_strong(tail, Tagged::of(tail).then(Tagged::of(next).index),
                                      std::memory_order_release, std::memory_order_relaxed);
    }
    void number(std::uint32_t first, std::uint32_t last, std::uint32_t position,
                std::size_t count) noexcept {
        nodes_[last].position.store(position + static_cast<std::uint32_t>(count),
                                    std::memory_order_relaxed);
        for (; first != last;
             first = Tagged::of(nodes_[first].next.load(std::memory_order_relaxed)).index) {
            nodes_[first].position.store(++position, std::memory_order_relaxed);
        }
    }

    // How many nodes, at most `max`, follow the dummy, and the `last` of them. `head` is read anew
    // when it has changed.
    std::size_t walk(std::uint64_t& head, std::size_t max, std::uint32_t& last) noexcept {
        for (;;) {
            const std::uint64_t tail = tail_.load(std::memory_order_acquire);
            std::uint32_t at = Tagged::of(head).index;
            std::size_t count = 0;
            while (count < max) {
                const std::uint64_t next = nodes_[at].next.load(std::memory_order_acquire);
                if (head_.load(std::memory_order_acquire) != head) break;
                if (Tagged::of(next).index == Tagged::kNone) break;
                if (at == Tagged::of(tail).index) {
                    // The head must not pass the tail.
                    if (count == 0) help(tail, next);
                    break;
                }
                at = Tagged::of(next).index;
                ++count;
            }
            const std::uint64_t now = head_.load(std::memory_order_acquire);
            if (now != head) {
                head = now;
                continue;
            }
            last = at;
            if (count > 0 || at_end(head)) return count;
        }
    }
    bool at_end(std::uint64_t head) const noexcept {
        const Node& dummy = nodes_[Tagged::of(head).index];
        return Tagged::of(dummy.next.load(std::memory_order_acquire)).index == Tagged::kNone &&
               head_.load(std::memory_order_acquire) == head;
    }

    std::uint32_t position_of(const Word& place) const noexcept {
        for (;;) {
            const std::uint64_t at = place.load(std::memory_order_acquire);
            const std::uint32_t position =
                nodes_[Tagged::of(at).index].position.load(std::memory_order_relaxed);
            Atomics::fence(std::memory_order_acquire);
            if (place.load(std::memory_order_relaxed) == at) return position;
        }
    }

    [[no_unique_address]] Allocator allocator_;
    Nodes nodes_;
    // Nodes that are left but not given back, linked by free_next. No tag is needed: all are taken
    // off at once.
    Word aside_{Tagged{}.word()};
    alignas(kSeparationBytes) Word head_{0};
    alignas(kSeparationBytes) Word tail_{0};
};

}  // namespace dwcp::lockfree
