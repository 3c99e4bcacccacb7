// What a thread keeps of a pool for itself, and how it finds that.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace dwcp::memory::detail {

// How many items go from thread to thread at once, at most.
inline constexpr std::size_t kBatchMax = 32;

// How many items of one kind a thread keeps. Written by that thread, read by those who count.
struct Bin {
    // How many items there are, and kOneGet for each get(): in one word, because each word that is
    // written and read again holds the next call up.
    std::atomic<std::uint64_t> state{0};
    std::uint64_t count_max = 0;          // less than kOneGet
    std::atomic<std::uint64_t> taken{0};  // from the others, or made
    std::atomic<std::uint64_t> given{0};  // to the others

    static constexpr std::uint64_t kOneGet = 256;
    static constexpr std::uint64_t count_in(std::uint64_t state) noexcept {
        return state % kOneGet;
    }
    [[nodiscard]] std::uint32_t count() const noexcept {
        return static_cast<std::uint32_t>(count_in(state.load(std::memory_order_relaxed)));
    }
    void set_count(std::uint32_t count) noexcept {
        const std::uint64_t before = state.load(std::memory_order_relaxed);
        state.store(before - count_in(before) + count, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t gets() const noexcept {
        return state.load(std::memory_order_relaxed) / kOneGet;
    }
    // What came in and is neither there nor went elsewhere was put as often as it was got.
    [[nodiscard]] std::uint64_t puts() const noexcept {
        const std::uint64_t now = state.load(std::memory_order_relaxed);
        return now / kOneGet + count_in(now) + given.load(std::memory_order_relaxed) -
               taken.load(std::memory_order_relaxed);
    }
};

// Each kind of pool derives its own.
struct ThreadCache {};

// What the threads of a pool share; see src/memory/shared_caches.hpp.
class SharedCaches;

// A number that no other pool has or had.
std::uint64_t add_pool(SharedCaches& shared);
void remove_pool(std::uint64_t number) noexcept;

inline constexpr std::size_t kRecentPools = 8;
// The caches of a thread, of the pools that it used last.
struct RecentCaches {
    std::array<std::uint64_t, kRecentPools> pools;
    std::array<ThreadCache*, kRecentPools> caches;
};
inline constinit thread_local RecentCaches recent_caches{};
// The calling thread's, which is made with its first call; remembered in recent_caches. Throws
// std::bad_alloc.
ThreadCache& find_cache(std::uint64_t number, SharedCaches& shared);

// The caches of a pool, of which each thread sees its own. Goes before what the threads share.
template <typename Cache>
class OwnCache {
  public:
    explicit OwnCache(SharedCaches& shared)
        : shared_(shared), number_(add_pool(shared)), slot_(number_ % kRecentPools) {}
    OwnCache(const OwnCache&) = delete;
    OwnCache& operator=(const OwnCache&) = delete;
    ~OwnCache() { remove_pool(number_); }

    Cache& get() {
        const RecentCaches& recent = recent_caches;
        return static_cast<Cache&>(recent.pools[slot_] == number_ ? *recent.caches[slot_]
                                                                  : find_cache(number_, shared_));
    }

  private:
    SharedCaches& shared_;
    const std::uint64_t number_;
    const std::size_t slot_;  // of recent_caches
};

}  // namespace dwcp::memory::detail
