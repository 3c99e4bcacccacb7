// An unbounded stack for any number of threads: R. K. Treiber's list (IBM RJ 5118, 1986), with
// numbered nodes and a tag beside the top, so that a top that was taken and put back is not taken
// for unchanged.
//
// Nodes are freed with the stack only: memory stays at the most that was ever needed at once, and
// what threads keep for themselves (see detail/node_cache.hpp). All operations may be called from
// any thread, but not from a signal handler that may have interrupted one of them. They are
// lock-free, but for the allocator, which is called when no node is left over. No failure is
// spurious; items come out last in, first out.
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
class Stack {
    static_assert(std::is_nothrow_destructible_v<T>);

  public:
    using value_type = T;

    explicit Stack(const Allocator& allocator = Allocator())
        : allocator_(allocator), nodes_(allocator) {}
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;
    ~Stack() { clear(); }

    // Throws std::bad_alloc when the allocator does, and what the constructor of the item throws;
    // nothing was put then.
    template <typename... Arguments>
    void emplace(Arguments&&... arguments) {
        const std::uint32_t index = make(std::forward<Arguments>(arguments)...);
        link(index, index, 1);
    }
    void put(const T& item) { emplace(item); }
    void put(T&& item) { emplace(std::move(item)); }

    // Puts `count` items at once: the last one is the top. Throws as put() does; nothing was put
    // then.
    template <typename Iterator>
    void put_many(Iterator first, std::size_t count) {
        if (count == 0) return;
        Chain chain{*this};
        for (std::size_t i = 0; i < count; ++i, ++first) chain.add(*first);
        link(chain.first, chain.last, chain.count);
        chain.first = Tagged::kNone;
    }

    // False when the stack is empty. If the assignment throws, the item is dropped.
    [[nodiscard]] bool try_get(T& item) {
        std::uint64_t top = top_.load(std::memory_order_acquire);  // pairs with link()
        for (;;) {
            const std::uint32_t index = Tagged::of(top).index;
            if (index == Tagged::kNone) return false;
            const std::uint32_t below = nodes_[index].next.load(std::memory_order_relaxed);
            if (top_.compare_exchange_weak(top, Tagged::of(top).then(below),
                                           std::memory_order_acquire, std::memory_order_acquire)) {
                const typename Pool::Owned owned{nodes_, index};
                const Made made{*this, index};
                item = nodes_[index].cell.take();
                return true;
            }
        }
    }

    // Moves at most `max` items, the top first, to `out` and returns how many: all were on the
    // stack at the same time. If an assignment throws, the items of this call that were not yet
    // moved are dropped.
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        Chain chain{*this};
        const std::size_t count = unlink(chain, max);
        for (std::size_t i = 0; i < count; ++i, ++out) {
            const First owned{chain};
            *out = nodes_[chain.first].cell.take();
        }
        return count;
    }

    // Copies the top, which stays; false when there is none. Only for trivially copyable items of
    // 1, 2, 4 or 8 bytes: others could be taken away under the copy.
    [[nodiscard]] bool peek(T& item) const noexcept
        requires detail::kIsWord<T>
    {
        for (;;) {
            const std::uint64_t top = top_.load(std::memory_order_acquire);
            const std::uint32_t index = Tagged::of(top).index;
            if (index == Tagged::kNone) return false;
            const T copy = nodes_[index].cell.look();
            Atomics::fence(std::memory_order_acquire);
            if (top_.load(std::memory_order_relaxed) != top) continue;
            item = copy;
            return true;
        }
    }

    // Drops all items that are there at one moment.
    void clear() noexcept {
        Chain chain{*this};
        unlink(chain, static_cast<std::size_t>(-1));
    }

    // May be outdated as soon as it is known.
    [[nodiscard]] std::size_t size() const noexcept {
        for (;;) {
            const std::uint64_t top = top_.load(std::memory_order_acquire);
            const std::uint64_t depth = depth_of(Tagged::of(top).index);
            Atomics::fence(std::memory_order_acquire);
            if (top_.load(std::memory_order_relaxed) == top) return depth;
        }
    }
    [[nodiscard]] bool empty() const noexcept {
        return Tagged::of(top_.load(std::memory_order_acquire)).index == Tagged::kNone;
    }

    // Calls `look` with each item, the top first. Only while no other thread uses the stack.
    template <typename Function>
    void for_each(Function&& look) const {
        for (std::uint32_t at = Tagged::of(top_.load(std::memory_order_relaxed)).index;
             at != Tagged::kNone; at = nodes_[at].next.load(std::memory_order_relaxed)) {
            look(nodes_[at].cell.look());
        }
    }

  private:
    using Tagged = detail::Tagged;
    using Word = typename Atomics::template atomic<std::uint64_t>;
    using Half = typename Atomics::template atomic<std::uint32_t>;

    struct Node {
        Half next{Tagged::kNone};
        Half free_next{Tagged::kNone};
        Half bundle_next{Tagged::kNone};
        Word depth{0};  // items from this one down
        detail::Cell<T, Atomics> cell;
    };

    using Pool = detail::CachedNodePool<Node, Atomics, Allocator, kFirstNodes>;

    // Linked nodes, from the top down, that are the caller's alone; what is left is dropped.
    struct Chain {
        Stack& stack;
        std::uint32_t first = Tagged::kNone;
        std::uint32_t last = Tagged::kNone;
        std::size_t count = 0;

        template <typename... Arguments>
        void add(Arguments&&... arguments) {
            const std::uint32_t index = stack.make(std::forward<Arguments>(arguments)...);
            // release: a thread that is late may follow it
            stack.nodes_[index].next.store(first, std::memory_order_release);
            first = index;
            if (last == Tagged::kNone) last = first;
            ++count;
        }
        void drop_first() noexcept {
            const std::uint32_t index = first;
            Node& node = stack.nodes_[index];
            first = index == last ? Tagged::kNone : node.next.load(std::memory_order_relaxed);
            node.cell.destroy(stack.allocator_);
            stack.nodes_.give(index);
        }
        ~Chain() {
            while (first != Tagged::kNone) drop_first();
        }
    };
    struct First {
        Chain& chain;
        ~First() { chain.drop_first(); }
    };
    // An item in a node that is destroyed.
    struct Made {
        Stack& stack;
        std::uint32_t index;
        ~Made() { stack.nodes_[index].cell.destroy(stack.allocator_); }
    };

    // A node with an item; it goes back to the pool when that throws.
    template <typename... Arguments>
    std::uint32_t make(Arguments&&... arguments) {
        typename Pool::Owned owned{nodes_, nodes_.take()};
        nodes_[owned.index].cell.construct(allocator_, std::forward<Arguments>(arguments)...);
        return std::exchange(owned.index, Tagged::kNone);
    }

    std::uint64_t depth_of(std::uint32_t index) const noexcept {
        return index == Tagged::kNone ? 0 : nodes_[index].depth.load(std::memory_order_relaxed);
    }

    // Puts `count` linked nodes on top.
    void link(std::uint32_t first, std::uint32_t last, std::size_t count) noexcept {
        std::uint64_t top = top_.load(std::memory_order_acquire);
        do {
            const std::uint32_t below = Tagged::of(top).index;
            // release: a thread that is late may follow it
            nodes_[last].next.store(below, std::memory_order_release);
            // Wrong when the node below is no longer the top, but then it is not linked there
            // either.
            std::uint64_t depth = depth_of(below) + count;
            for (std::uint32_t at = first;; at = nodes_[at].next.load(std::memory_order_relaxed)) {
                nodes_[at].depth.store(depth--, std::memory_order_relaxed);
                if (at == last) break;
            }
        } while (!top_.compare_exchange_weak(top, Tagged::of(top).then(first),
                                             std::memory_order_release,
                                             std::memory_order_acquire));  // pairs with unlink()
    }

    // Takes at most `max` nodes off the top.
    std::size_t unlink(Chain& chain, std::size_t max) noexcept {
        if (max == 0) return 0;
        std::uint64_t top = top_.load(std::memory_order_acquire);  // pairs with link()
        for (;;) {
            chain.first = Tagged::of(top).index;
            if (chain.first == Tagged::kNone) return 0;
            chain.last = chain.first;
            std::size_t count = 1;
            // The nodes may be taken meanwhile, and the walk lead anywhere: the tag will tell.
            // Acquire, because even then a number must lead to a node.
            std::uint32_t next = nodes_[chain.last].next.load(std::memory_order_acquire);
            while (count < max && next != Tagged::kNone && still(top, count)) {
                chain.last = next;
                next = nodes_[next].next.load(std::memory_order_acquire);
                ++count;
            }
            if (top_.compare_exchange_weak(top, Tagged::of(top).then(next),
                                           std::memory_order_acquire, std::memory_order_acquire)) {
                return count;
            }
            chain.first = Tagged::kNone;
        }
    }
    // Now and then whether a walk is worth going on with: one among taken nodes might have no end.
    bool still(std::uint64_t top, std::size_t count) const noexcept {
        return count % 64 != 0 || top_.load(std::memory_order_relaxed) == top;
    }

    [[no_unique_address]] Allocator allocator_;
    Pool nodes_;
    alignas(kSeparationBytes) Word top_{Tagged{}.word()};
};

}  // namespace dwcp::lockfree
