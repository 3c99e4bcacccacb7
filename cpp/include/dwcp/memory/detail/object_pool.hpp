// Objects of one size that are used again: what SlabAllocator and ThreadLocalPool are made of.
//
// As BufferPool does it, a thread gets an object from its own cache and puts it back there without
// any atomic operation that others would see, and full batches go from thread to thread. Objects
// are made slab by slab in a range of addresses that is the pool's own, and beside that there is a
// byte for every `granule` of it, a power of two that is no larger than an object: where in it one
// begins, and whether it is in use.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dwcp/memory/detail/thread_cache.hpp"
#include "dwcp/memory/errors.hpp"
#include "dwcp/memory/pool_counts.hpp"

namespace dwcp::memory::detail {

struct ObjectPoolOptions {
    const char* name;          // in messages
    std::size_t stride_bytes;  // from one object to the next, a multiple of 8
    std::size_t slab_objects;
    std::uint32_t batch_objects;  // how many go from thread to thread at once
    std::uint32_t cache_objects;  // how many a thread keeps
    std::size_t limit_bytes;
    std::size_t address_space_bytes;  // 0: as many as the limit and the machine have use for
};

// Threads, fork() and signals: see BufferPool. Of sizes and numbers those who derive from it take
// care.
class ObjectPool {
  public:
    ObjectPool(const ObjectPool&) = delete;
    ObjectPool& operator=(const ObjectPool&) = delete;

    [[nodiscard]] void* get() {
        Cache& cache = own_cache_.get();
        std::uint64_t state = cache.bin.state.load(std::memory_order_relaxed);
        if (Bin::count_in(state) == 0) [[unlikely]] {
            refill(cache);
            state = cache.bin.state.load(std::memory_order_relaxed);
        }
        std::byte* const object = cache.items[Bin::count_in(state) - 1];
        cache.bin.state.store(state + Bin::kOneGet - 1, std::memory_order_relaxed);
        const std::uintptr_t place = place_of(object);
        marks_[place >> shift_].store(in_use(place), std::memory_order_relaxed);
        return object;
    }

    void put(void* object) {
        const std::uintptr_t place = check(object);
        Cache& cache = own_cache_.get();
        std::uint64_t state = cache.bin.state.load(std::memory_order_relaxed);
        if (Bin::count_in(state) == cache.bin.count_max) [[unlikely]] {
            spill(cache);
            state = cache.bin.state.load(std::memory_order_relaxed);
        }
        marks_[place >> shift_].store(unused(place), std::memory_order_relaxed);
        cache.items[Bin::count_in(state)] = static_cast<std::byte*>(object);
        cache.bin.state.store(state + 1, std::memory_order_relaxed);
    }

    void get_many(std::span<void*> objects);
    void put_many(std::span<void* const> objects);

    [[nodiscard]] PoolCounts counts() const;
    [[nodiscard]] std::size_t slabs() const;
    std::size_t trim();

  protected:
    explicit ObjectPool(const ObjectPoolOptions& options);
    ~ObjectPool();

  private:
    static constexpr std::size_t kCountMax = Bin::kOneGet - 1;
    // Marks: 0, or kBegins and where in its granule an object begins, and whether it is in use.
    static constexpr std::uint8_t kInUse = 0x80;
    static constexpr std::uint8_t kBegins = 0x40;
    static constexpr std::size_t kGranuleMax = kBegins;

    struct alignas(128) Cache : ThreadCache {
        Bin bin;
        std::array<std::byte*, kCountMax> items;
    };
    struct Shared;

    // In the range of addresses; a number beyond it for what does not lie there.
    std::uintptr_t place_of(const void* object) const noexcept {
        return reinterpret_cast<std::uintptr_t>(object) - base_;
    }
    std::uint8_t unused(std::uintptr_t place) const noexcept {
        return static_cast<std::uint8_t>(kBegins | (place & mask_));
    }
    std::uint8_t in_use(std::uintptr_t place) const noexcept {
        return static_cast<std::uint8_t>(kInUse | kBegins | (place & mask_));
    }
    // The place of an object that is in use; throws NotInUse.
    std::uintptr_t check(const void* object) const {
        const std::uintptr_t place = place_of(object);
        if (place >= used_.load(std::memory_order_relaxed) ||
            marks_[place >> shift_].load(std::memory_order_relaxed) != in_use(place)) [[unlikely]] {
            refuse(object);
        }
        return place;
    }

    void refill(Cache& cache);
    void spill(Cache& cache);
    [[noreturn]] void refuse(const void* object) const;

    const std::unique_ptr<Shared> shared_;
    OwnCache<Cache> own_cache_;
    std::atomic<std::uint8_t>* const marks_;
    const std::uintptr_t base_;
    const unsigned shift_;              // from places to granules
    const std::uintptr_t mask_;         // of places within a granule
    std::atomic<std::size_t> used_{0};  // bytes from the first on
};

}  // namespace dwcp::memory::detail
