// A pool of nodes in which threads keep a few for themselves: a node that a thread gave back is the
// next one it takes, without an atomic operation that others would have to wait for, and without
// its line of the cache going to another processor. Whole bundles go to and from the other threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/lockfree/detail/node_pool.hpp"

namespace dwcp::lockfree::detail {

// Node has members `free_next` and `bundle_next`, atomics of std::uint32_t, that are the pool's
// while a node is free. Threads that come when all kCaches are had have none, and no harm but the
// time it takes. take() and give() must not be interrupted by a signal handler that calls them.
template <typename Node, typename Atomics, typename Allocator, std::size_t kFirstNodes,
          std::uint32_t kBundleNodes = 32, std::size_t kCaches = 16>
class CachedNodePool {
    template <typename U>
    using Atomic = typename Atomics::template atomic<U>;

  public:
    // Throws std::bad_alloc.
    explicit CachedNodePool(const Allocator& allocator) : bundles_(allocator) {}

    Node& operator[](std::uint32_t index) const noexcept { return bundles_[index]; }

    // A node of the caller's that goes back with it, unless its number was given away.
    struct Owned {
        CachedNodePool& pool;
        std::uint32_t index;
        ~Owned() {
            if (index != Tagged::kNone) pool.give(index);
        }
    };

    // A node of one's own: one that was given back, else a new one, of which nothing but the
    // constructor has been run. Throws std::bad_alloc; lock-free but for the allocator.
    std::uint32_t take() {
        Cache* const cache = own_cache();
        if (cache == nullptr) return take_shared(nullptr);
        const std::uint32_t first = cache->first.load(std::memory_order_acquire);
        if (first == Tagged::kNone) return take_shared(cache);
        const std::uint32_t next = (*this)[first].bundle_next.load(std::memory_order_relaxed);
        cache->count.store(cache->count.load(std::memory_order_relaxed) - 1,
                           std::memory_order_relaxed);
        cache->first.store(next, std::memory_order_release);
        return first;
    }

    void give(std::uint32_t index) noexcept {
        Cache* const cache = own_cache();
        if (cache == nullptr) {
            (*this)[index].bundle_next.store(Tagged::kNone, std::memory_order_relaxed);
            bundles_.give(index);
            return;
        }
        std::uint32_t first = cache->first.load(std::memory_order_acquire);
        std::uint32_t count = cache->count.load(std::memory_order_relaxed);
        if (count == kBundleNodes) {
            bundles_.give(first);
            first = Tagged::kNone;
            count = 0;
        }
        (*this)[index].bundle_next.store(first, std::memory_order_relaxed);
        cache->count.store(count + 1, std::memory_order_relaxed);
        cache->first.store(index, std::memory_order_release);
    }

  private:
    static constexpr std::size_t kProbes = std::min<std::size_t>(4, kCaches);

    // Nodes linked by bundle_next, one thread's. A thread that begins may get the token of one that
    // has ended, and with it the cache. The C library ends the one before it begins the other;
    // acquire and release say so to whoever does not see into it.
    struct alignas(kSeparationBytes) Cache {
        Atomic<std::uint32_t> first{Tagged::kNone};
        Atomic<std::uint32_t> count{0};
    };

    // The calling thread's, which it gets with its first call; null where others have all.
    Cache* own_cache() noexcept {
        const std::uintptr_t token = Atomics::thread_token();
        // Tokens are addresses in pages of their own; the multiplier is 2^32 by the golden ratio.
        const auto hash = static_cast<std::uint32_t>(token >> 12) * 0x9e37'79b9U;
        for (std::size_t probe = 0; probe < kProbes; ++probe) {
            const std::size_t place = ((hash >> 16) * kCaches / 65536 + probe) % kCaches;
            std::uintptr_t owner = owners_[place].load(std::memory_order_relaxed);
            if (owner == token) return &caches_[place];
            if (owner == 0 &&
                owners_[place].compare_exchange_strong(owner, token, std::memory_order_relaxed,
                                                       std::memory_order_relaxed)) {
                return &caches_[place];
            }
        }
        return nullptr;
    }

    // The first of a bundle, whose rest goes to the cache, or back where there is none; else a new
    // one.
    std::uint32_t take_shared(Cache* cache) {
        const std::optional<std::uint32_t> first = bundles_.try_take();
        if (!first) return bundles_.take_new();
        const std::uint32_t rest = (*this)[*first].bundle_next.load(std::memory_order_relaxed);
        if (cache != nullptr) {
            // At most: a bundle may have been begun by a thread without a cache.
            cache->count.store(rest == Tagged::kNone ? 0 : kBundleNodes - 1,
                               std::memory_order_relaxed);
            cache->first.store(rest, std::memory_order_release);
        } else if (rest != Tagged::kNone) {
            bundles_.give(rest);
        }
        return *first;
    }

    NodePool<Node, Atomics, Allocator, kFirstNodes> bundles_;
    // Beside each other, because all look through them and hardly anybody writes.
    alignas(kSeparationBytes) std::array<Atomic<std::uintptr_t>, kCaches> owners_{};
    std::array<Cache, kCaches> caches_{};
};

}  // namespace dwcp::lockfree::detail
