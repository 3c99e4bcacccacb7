// Buffers of one size that stay with their thread: for what each thread gets and puts itself.
//
// What a thread puts, whoever got it, is the next that it gets: warm in the caches of its
// processor, and on its memory node, where it touched it first. It shares nothing with other
// threads as long as it keeps to the number that it may have for itself. Beyond that buffers go to
// threads that have none left, half of that number at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "dwcp/memory/detail/object_pool.hpp"

namespace dwcp::memory {

struct ThreadLocalPoolOptions {
    // How many buffers that are not in use a thread keeps at most, 1 to 255; 0: as many as 1 MiB
    // holds, 2 to 64.
    std::uint32_t buffers_per_thread = 0;
    // The most to hold from the kernel, in bytes, in use or not: enough for half of what a thread
    // keeps.
    std::size_t limit_bytes = std::numeric_limits<std::size_t>::max();
    // As of SlabAllocator.
    std::size_t address_space_bytes = 0;
};

// Threads, fork() and signals: see BufferPool.
class ThreadLocalPool : private detail::ObjectPool {
  public:
    static constexpr std::size_t kSizeMax = std::size_t{1} << 30;
    static constexpr std::uint32_t kBuffersPerThreadMax = 255;

    // size: 1 byte to kSizeMax. Throws std::invalid_argument for numbers out of bounds,
    // std::system_error when the kernel gives no addresses, std::bad_alloc.
    explicit ThreadLocalPool(std::size_t size, const ThreadLocalPoolOptions& options = {});

    // A buffer of size() bytes, aligned to 64, or to pages from one page on, of which it shares
    // none. Its pages are there. Throws PoolExhausted beyond the limit, std::bad_alloc when the
    // kernel has no more.
    using ObjectPool::get;
    // Throws NotInUse, having changed nothing, for what is no buffer of this pool, for a place
    // within one, and for one that was put before. (Two threads that put the same buffer at the
    // same moment may go unnoticed.)
    using ObjectPool::put;
    // The same for all of a span, or for none of it; std::bad_alloc may leave a part put.
    using ObjectPool::get_many;
    using ObjectPool::put_many;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    // Bytes that a buffer has, all of which may be used.
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_for(size_); }
    [[nodiscard]] std::uint32_t buffers_per_thread() const noexcept { return buffers_per_thread_; }
    [[nodiscard]] PoolCounts stats() const { return counts(); }
    // Gives memory that no thread keeps, and what the calling one keeps, back to the kernel.
    // Returns how many bytes.
    using ObjectPool::trim;

  private:
    static std::size_t capacity_for(std::size_t size) noexcept;

    const std::size_t size_;
    const std::uint32_t buffers_per_thread_;
};

}  // namespace dwcp::memory
