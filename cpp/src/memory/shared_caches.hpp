// What the threads of a pool share: their caches, and what they pass on to one another.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "dwcp/lockfree/stack.hpp"
#include "dwcp/memory/detail/thread_cache.hpp"
#include "dwcp/memory/errors.hpp"
#include "dwcp/os/machine.hpp"
#include "dwcp/os/reserved_memory.hpp"

namespace dwcp::memory {

// How many addresses a pool reserves that is not told: they cost nothing.
inline std::size_t default_address_space_bytes() noexcept {
    return std::clamp(4 * os::physical_memory_bytes(), std::size_t{64} << 20, std::size_t{1} << 40);
}

namespace detail {

// How many items go from thread to thread at once: as many as 512 KiB hold, `min` at least.
constexpr std::uint32_t batch_for(std::size_t item_bytes, std::size_t min) noexcept {
    const std::size_t fitting = (std::size_t{512} << 10) / item_bytes;
    return static_cast<std::uint32_t>(std::clamp(fitting, min, kBatchMax));
}

// Some items that nobody uses.
struct Magazine {
    std::uint32_t count = 0;
    std::array<std::byte*, kBatchMax> items;
};
using Magazines = lockfree::Stack<Magazine*>;

class SharedCaches {
  public:
    SharedCaches() = default;
    SharedCaches(const SharedCaches&) = delete;
    SharedCaches& operator=(const SharedCaches&) = delete;
    virtual ~SharedCaches() = default;

    // For a thread that has none: that of a thread that has ended, or a new one. Throws
    // std::bad_alloc.
    ThreadCache* take_idle();
    void give_idle(ThreadCache* cache);
    // All that a cache has goes to the other threads.
    virtual void empty_out(ThreadCache& cache) = 0;

    void lock_all();
    void unlock_all();
    // In the child of a fork, where all caches but `own` are idle.
    void keep_only(ThreadCache* own);

    // Items to the other threads. Throws std::bad_alloc, having given none.
    void give(Magazines& full, std::byte* const* items, std::uint32_t count);
    // The same, the last ones of a bin.
    void give_from(Bin& bin, std::byte* const* items, Magazines& full, std::uint32_t count);
    // Some of them; 0 when there are none.
    std::uint32_t take(Magazines& full, std::byte** items);
    // All of them.
    std::vector<std::byte*> take_all(Magazines& full);
    // Fills a bin in which nothing is: from the other threads, else with what `make`, called with
    // the mutex locked, puts into `items`. It returns how many; where none, `trim` is called, and
    // `make` once more. Throws PoolExhausted, and what they throw.
    template <typename Make, typename Trim>
    void refill(Bin& bin, std::byte** items, Magazines& full, const char* exhausted, Make&& make,
                Trim&& trim) {
        std::uint32_t count = take(full, items);
        for (bool trimmed = false; count == 0;) {
            {
                const std::lock_guard lock(mutex);
                count = take(full, items);  // while waiting for the lock
                if (count == 0) count = make(items);
                if (count > 0) break;
            }
            if (std::exchange(trimmed, true)) throw PoolExhausted(exhausted);
            trim();
        }
        bin.taken.store(bin.taken.load(std::memory_order_relaxed) + count,
                        std::memory_order_relaxed);
        bin.set_count(count);
    }

    // For the caches, and for what the pool has besides.
    mutable std::mutex mutex;

  private:
    // Owned by the pool. Throws std::bad_alloc.
    virtual ThreadCache* make_cache() = 0;
    Magazine* empty_magazine();

    std::vector<ThreadCache*> caches_;
    std::vector<ThreadCache*> idle_;  // of no thread

    Magazines empty_;
    std::mutex magazines_mutex_;  // taken after the other one
    std::vector<std::unique_ptr<Magazine>> magazines_;
};

}  // namespace detail

}  // namespace dwcp::memory
