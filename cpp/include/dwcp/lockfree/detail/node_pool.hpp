// Nodes that are named by numbers, given out and taken back without locks, and freed only with the
// pool: so a thread may look at a node that is no longer its own, and see from a tag that it was
// late.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>

#include "dwcp/lockfree/atomics.hpp"

namespace dwcp::lockfree::detail {

// A number of a node and a tag that changes whenever the place where it stands does: a place that
// changed and changed back is not taken for unchanged (the ABA problem). It would have to change
// 2^32 times while one thread is between a load and a compare-and-swap.
struct Tagged {
    static constexpr std::uint32_t kNone = 0xffff'ffff;

    std::uint32_t index = kNone;
    std::uint32_t tag = 0;

    static constexpr Tagged of(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
    }
    [[nodiscard]] constexpr std::uint64_t word() const noexcept {
        return std::uint64_t{tag} << 32 | index;
    }
    // What takes the place of this one.
    [[nodiscard]] constexpr std::uint64_t then(std::uint32_t next) const noexcept {
        return Tagged{next, tag + 1}.word();
    }
};

// Node has a member `free_next`, an atomic of std::uint32_t, that is the pool's.
template <typename Node, typename Atomics, typename Allocator, std::size_t kFirstNodes>
class NodePool {
    static_assert(std::has_single_bit(kFirstNodes));
    using Traits = typename std::allocator_traits<Allocator>::template rebind_traits<Node>;
    using NodeAllocator = typename Traits::allocator_type;
    template <typename U>
    using Atomic = typename Atomics::template atomic<U>;

  public:
    // Throws std::bad_alloc.
    explicit NodePool(const Allocator& allocator) : allocator_(allocator), first_(allocate(0)) {
        chunks_[0].store(first_, std::memory_order_relaxed);
    }
    NodePool(const NodePool&) = delete;
    NodePool& operator=(const NodePool&) = delete;
    ~NodePool() {
        for (unsigned chunk = 0; chunk < kChunks; ++chunk) {
            Node* const nodes = chunks_[chunk].load(std::memory_order_relaxed);
            if (nodes != nullptr) drop(nodes, chunk);
        }
    }

    Node& operator[](std::uint32_t index) const noexcept {
        if (index < kFirstNodes) return first_[index];
        const std::uint64_t place = std::uint64_t{index} + kFirstNodes;
        const unsigned chunk = chunk_of(place);
        // Whoever has the number has it from somebody who saw the chunk.
        return chunks_[chunk].load(std::memory_order_acquire)[place - (kFirstNodes << chunk)];
    }

    // A node of one's own: one that was given back, else a new one, of which nothing but the
    // constructor has been run. Throws std::bad_alloc; lock-free but for the allocator.
    std::uint32_t take() {
        const std::optional<std::uint32_t> index = try_take();
        return index ? *index : take_new();
    }

    // One that was given back, if there is any.
    std::optional<std::uint32_t> try_take() noexcept {
        std::uint64_t free = free_.load(std::memory_order_acquire);  // pairs with give()
        for (;;) {
            const Tagged first = Tagged::of(free);
            if (first.index == Tagged::kNone) return std::nullopt;
            const std::uint32_t next =
                (*this)[first.index].free_next.load(std::memory_order_relaxed);
            if (free_.compare_exchange_weak(free, first.then(next), std::memory_order_acquire,
                                            std::memory_order_acquire)) {
                return first.index;
            }
        }
    }

    // A node that nobody had before.
    std::uint32_t take_new() {
        const std::uint64_t index = made_.fetch_add(1, std::memory_order_relaxed);
        const unsigned chunk = chunk_of(index + kFirstNodes);
        if (chunk >= kChunks) {
            made_.fetch_sub(1, std::memory_order_relaxed);
            throw std::bad_alloc();
        }
        if (chunks_[chunk].load(std::memory_order_acquire) == nullptr) make(chunk);
        return static_cast<std::uint32_t>(index);
    }

    void give(std::uint32_t index) noexcept {
        std::uint64_t free = free_.load(std::memory_order_relaxed);
        do {
            (*this)[index].free_next.store(Tagged::of(free).index, std::memory_order_relaxed);
        } while (!free_.compare_exchange_weak(free, Tagged::of(free).then(index),
                                              std::memory_order_release,
                                              std::memory_order_relaxed));  // pairs with try_take()
    }

  private:
    // As many chunks, each twice as long as the one before, as numbers of 32 bits can name.
    static constexpr unsigned kChunks = 33 - std::bit_width(kFirstNodes);

    static unsigned chunk_of(std::uint64_t place) noexcept {
        return static_cast<unsigned>(std::bit_width(place) - std::bit_width(kFirstNodes));
    }

    // The number is lost when this throws, but the next one makes the chunk.
    void make(unsigned chunk) {
        Node* const nodes = allocate(chunk);
        Node* expected = nullptr;
        if (!chunks_[chunk].compare_exchange_strong(expected, nodes, std::memory_order_release,
                                                    std::memory_order_acquire)) {
            drop(nodes, chunk);  // another thread was first
        }
    }
    Node* allocate(unsigned chunk) {
        static_assert(std::is_nothrow_default_constructible_v<Node>);
        Node* const nodes = Traits::allocate(allocator_, kFirstNodes << chunk);
        std::uninitialized_default_construct_n(nodes, kFirstNodes << chunk);
        return nodes;
    }
    void drop(Node* nodes, unsigned chunk) noexcept {
        std::destroy_n(nodes, kFirstNodes << chunk);
        Traits::deallocate(allocator_, nodes, kFirstNodes << chunk);
    }

    [[no_unique_address]] NodeAllocator allocator_;
    Node* const first_;  // the first chunk, which most numbers are in
    Atomic<Node*> chunks_[kChunks] = {};
    alignas(kSeparationBytes) Atomic<std::uint64_t> free_{Tagged{}.word()};
    alignas(kSeparationBytes) Atomic<std::uint64_t> made_{0};
};

}  // namespace dwcp::lockfree::detail
