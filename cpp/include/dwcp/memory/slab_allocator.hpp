// Objects of one size, packed into slabs: for many of them, which come and go.
//
// An object takes its size rounded up to 8 bytes, and nothing more but a byte of the allocator's
// for each 64 (for each 8 to 32 where objects are smaller than 64). In slabs they follow one
// another without gaps, so that each begins at a multiple of the largest power of two that divides
// that size, up to a page: enough for any C++ object of the size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "dwcp/memory/detail/object_pool.hpp"

namespace dwcp::memory {

struct SlabOptions {
    // The most to hold from the kernel, in bytes, in use or not: a slab or more.
    std::size_t limit_bytes = std::numeric_limits<std::size_t>::max();
    // Of addresses, which cost nothing; 0: what the limit allows, or four times the memory of the
    // machine, 1 TiB at most.
    std::size_t address_space_bytes = 0;
};

struct SlabStats : PoolCounts {  // a miss takes objects out of a slab that were never used
    std::uint64_t slabs = 0;     // which are held, in use or not
};

// Every call may be made from any thread at any time, but for the destructor; an object may be put
// by another thread than got it. get() and put() are lock-free unless new objects are needed: each
// thread has a cache, of two batches (of as many as 512 KiB hold, 2 to 32), that it gives back when
// it ends. After fork() the child may go on with copies of all objects. No call is safe in a signal
// handler.
class SlabAllocator : private detail::ObjectPool {
  public:
    static constexpr std::size_t kObjectBytesMax = std::size_t{1} << 20;
    static constexpr std::size_t kSlabBytesMax = std::size_t{1} << 30;

    // object_size: 1 byte to kObjectBytesMax; objects_per_slab: 1 or more, kSlabBytesMax of them at
    // most. A slab is taken from the kernel at once, in whole pages, which so many objects should
    // fill. Throws std::invalid_argument beyond these bounds and for a limit of less than a slab,
    // std::system_error when the kernel gives no addresses, std::bad_alloc.
    SlabAllocator(std::size_t object_size, std::size_t objects_per_slab,
                  const SlabOptions& options = {});

    // An object of object_size() bytes, whose pages are there; what is in it was left there. Throws
    // PoolExhausted beyond the limit, std::bad_alloc when the kernel has no more.
    using ObjectPool::get;
    // Throws NotInUse, having changed nothing, for what is no object of this allocator, for a place
    // within one, and for one that was put before. (Two threads that put the same object at the
    // same moment may go unnoticed.)
    using ObjectPool::put;
    // The same for all of a span, or for none of it; std::bad_alloc may leave a part put.
    using ObjectPool::get_many;
    using ObjectPool::put_many;

    [[nodiscard]] std::size_t object_size() const noexcept { return object_size_; }
    [[nodiscard]] std::size_t objects_per_slab() const noexcept { return objects_per_slab_; }
    // From one object to the next in a slab, in bytes, all of which may be used.
    [[nodiscard]] std::size_t stride() const noexcept { return stride_for(object_size_); }
    [[nodiscard]] SlabStats stats() const;
    // Gives slabs of which nothing is in use, and no other thread keeps anything, back to the
    // kernel. Returns how many bytes.
    using ObjectPool::trim;

  private:
    static constexpr std::size_t stride_for(std::size_t object_size) noexcept {
        return (object_size + 7) / 8 * 8;
    }

    const std::size_t object_size_;
    const std::size_t objects_per_slab_;
};

}  // namespace dwcp::memory
