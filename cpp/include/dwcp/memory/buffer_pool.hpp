// Buffers that are used again: fifteen classes of sizes, with a cache for each thread.
//
// A thread gets a buffer from its own cache and puts it back there, which takes no atomic
// operation. Caches exchange batches by stacks without locks that all threads share; only for new
// memory is there a mutex (the magazines and the depot of Bonwick and Adams, "Magazines and Vmem",
// USENIX 2001). All memory lies in one range of addresses that is the pool's own, beside which it
// keeps a byte for each 64 bytes: what a buffer begins there, and whether it is in use. So put()
// knows what is not its own, and what was put before.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dwcp/memory/detail/thread_cache.hpp"
#include "dwcp/memory/errors.hpp"
#include "dwcp/memory/pool_counts.hpp"
#include "dwcp/memory/size_classes.hpp"
#include "dwcp/os/placed_memory.hpp"

namespace dwcp::memory {

struct PoolStats {
    std::array<PoolCounts, kSizeClasses> classes;
    PoolCounts larger;  // those beyond the largest class
    PoolCounts all;
};

struct PoolOptions {
    // The most to hold from the kernel, in bytes, in use or not. What a pool needs for itself, some
    // 10 KiB a thread and a byte for each 64 held, is not counted.
    std::size_t limit_bytes = std::numeric_limits<std::size_t>::max();
    // Of addresses, which cost nothing; 0: four times the memory of the machine, 1 TiB at most.
    std::size_t address_space_bytes = 0;
    // The most to keep of buffers beyond the largest class that nobody uses, in bytes; what is more
    // goes back to the kernel at once.
    std::size_t keep_larger_bytes = std::size_t{64} << 20;
    bool zero = false;  // whether get() clears the bytes that are asked for
    // Whether memory is to lie in huge pages that the kernel makes of plain ones (transparent). It
    // is then held 2 MiB at a time, and a limit is 2 MiB or more. Reserved ones (hugetlb) are not
    // used: a pool that grows by 2 MiB would die by SIGBUS where the next one is not there.
    bool huge_pages = false;
    // On which nodes, for all of it, also what comes again after trim().
    os::Placing placing = os::Placing::kDefault;
    std::vector<int> nodes{};
};

// Every call may be made from any thread at any time, but for the destructor; a buffer may be put
// by another thread than got it. get() and put() of a class are lock-free unless new memory is
// needed. A thread that ends gives its cache back. After fork() the child may go on with copies of
// all buffers. No call is safe in a signal handler.
class BufferPool {
  public:
    // Throws std::invalid_argument for a limit that is too small, for nodes that are not there and
    // for more or fewer than the placing takes; std::system_error when the kernel gives no
    // addresses or refuses the placing; std::bad_alloc.
    explicit BufferPool(const PoolOptions& options = {});
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;
    // Buffers that are still in use go, too.
    ~BufferPool();

    // At least `size` bytes, aligned to 64, whose pages are there. A buffer of a page (4 KiB, on
    // some machines more) or larger is aligned to pages, and shares none with another. Throws
    // PoolExhausted beyond the limit, std::bad_alloc when the kernel has no more.
    [[nodiscard]] void* get(std::size_t size) {
        const std::size_t size_class = class_of(size);
        if (size_class >= kSizeClasses) return get_larger(size, zero_);
        Cache& cache = own_cache_.get();
        Bin& bin = cache.bins[size_class];
        std::uint64_t state = bin.state.load(std::memory_order_relaxed);
        if (Bin::count_in(state) == 0) [[unlikely]] {
            refill(cache, size_class);
            state = bin.state.load(std::memory_order_relaxed);
        }
        std::byte* const buffer = cache.items[size_class][Bin::count_in(state) - 1];
        bin.state.store(state + Bin::kOneGet - 1, std::memory_order_relaxed);
        cache.recent = size_class;
        marks_[granule_of(buffer)].store(in_use(size_class), std::memory_order_relaxed);
        if (zero_) clear(buffer, size);
        return buffer;
    }

    // The same, cleared.
    [[nodiscard]] void* get_zeros(std::size_t size) {
        if (class_of(size) >= kSizeClasses) return get_larger(size, true);
        void* const buffer = get(size);
        if (!zero_) clear(static_cast<std::byte*>(buffer), size);
        return buffer;
    }

    // Throws NotInUse, having changed nothing, for what is no buffer of this pool, for a place
    // within one, and for one that was put before. (Two threads that put the same buffer at the
    // same moment may go unnoticed, as where both write to it.)
    void put(void* buffer) {
        const std::uintptr_t granule = granule_of(buffer);
        if (granule - first_granule_ >= used_.load(std::memory_order_relaxed)) [[unlikely]] {
            refuse(buffer);
        }
        const std::uint8_t mark = marks_[granule].load(std::memory_order_relaxed);
        Cache& cache = own_cache_.get();
        // A guess, which the processor need not wait for as it would for the mark.
        std::size_t size_class = cache.recent;
        if (mark != in_use(size_class)) [[unlikely]] {
            if ((mark & kInUse) == 0) refuse(buffer);
            if (mark == kLarger) {
                put_larger(buffer);
                return;
            }
            size_class = class_in(mark);
            cache.recent = size_class;
        }
        Bin& bin = cache.bins[size_class];
        std::uint64_t state = bin.state.load(std::memory_order_relaxed);
        if (Bin::count_in(state) == bin.count_max) [[unlikely]] {
            spill(cache, size_class);
            state = bin.state.load(std::memory_order_relaxed);
        }
        marks_[granule].store(static_cast<std::uint8_t>(size_class + 1), std::memory_order_relaxed);
        cache.items[size_class][Bin::count_in(state)] = static_cast<std::byte*>(buffer);
        bin.state.store(state + 1, std::memory_order_relaxed);
    }

    // Fills a span with buffers of at least `size` bytes: all, or none where get() throws.
    void get_many(std::size_t size, std::span<void*> buffers);
    // Puts all buffers of a span. Throws NotInUse, having put none, where put() would for one of
    // them, or one is there twice; std::bad_alloc may leave a part put.
    void put_many(std::span<void* const> buffers);

    // How many bytes a buffer for `size` has, all of which may be used.
    [[nodiscard]] static std::size_t capacity_for(std::size_t size) noexcept;
    // The same of a buffer that is in use. Throws NotInUse.
    [[nodiscard]] std::size_t capacity(const void* buffer) const;
    [[nodiscard]] PoolStats stats() const;
    // How much of its memory lies in huge pages just now, in bytes, by /proc/self/smaps, which
    // takes as long as the process has mappings; and which pages that makes it.
    [[nodiscard]] std::size_t huge_bytes() const;
    [[nodiscard]] os::PageKind kind() const {
        return huge_bytes() > 0 ? os::PageKind::kTransparent : os::PageKind::kPlain;
    }
    // Why memory does not lie as was wished for, as of now; empty when it does.
    [[nodiscard]] std::string reason() const;
    // Gives memory that no thread keeps, 2 MiB of one class at a time, back to the kernel; the
    // cache of the calling thread, and larger buffers that nobody uses, with it. Returns how many
    // bytes. Buffers stay where they are, so that one of them in use keeps what is around it.
    std::size_t trim();

  private:
    using Bin = detail::Bin;
    static constexpr std::size_t kCountMax = 2 * detail::kBatchMax;  // of a class, for a thread
    static_assert(kCountMax < Bin::kOneGet);
    // Marks: 0, or the class and 1, for a place where a buffer begins, and whether it is in use.
    static constexpr std::uint8_t kInUse = 0x80;
    static constexpr std::uint8_t kLarger = kInUse | (kSizeClasses + 1);
    static constexpr std::uint8_t kLargerKept = kSizeClasses + 1;
    static constexpr std::uint8_t in_use(std::size_t size_class) noexcept {
        return static_cast<std::uint8_t>(kInUse | (size_class + 1));
    }
    static constexpr std::size_t class_in(std::uint8_t mark) noexcept {
        return static_cast<std::size_t>(mark & ~kInUse) - 1;
    }

    struct alignas(128) Cache : detail::ThreadCache {
        std::array<Bin, kSizeClasses> bins;
        std::size_t recent = 0;  // class
        std::array<std::array<std::byte*, kCountMax>, kSizeClasses> items;
    };
    struct Shared;

    // The number of 64 bytes of all memory; for what does not begin at such a place, one that no
    // memory has.
    static std::uintptr_t granule_of(const void* buffer) noexcept {
        return std::rotr(reinterpret_cast<std::uintptr_t>(buffer),
                         std::countr_zero(kSmallestClassBytes));
    }

    void refill(Cache& cache, std::size_t size_class);
    void spill(Cache& cache, std::size_t size_class);
    void* get_larger(std::size_t size, bool zeros);
    void put_larger(void* buffer);
    // The mark of a buffer that is in use. Throws NotInUse.
    [[nodiscard]] std::uint8_t mark_in_use(const void* buffer) const;
    [[noreturn]] void refuse(const void* buffer) const;
    static void clear(std::byte* buffer, std::size_t size) noexcept;

    const std::unique_ptr<Shared> shared_;
    detail::OwnCache<Cache> own_cache_;
    // Where the mark of granule 0 would be.
    std::atomic<std::uint8_t>* const marks_;
    const std::uintptr_t first_granule_;
    // How many granules from the first on have been used.
    std::atomic<std::size_t> used_{0};
    const bool zero_;
};

}  // namespace dwcp::memory
