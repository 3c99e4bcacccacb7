// A buffer pool for the containers of the standard library (std::pmr).
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <new>

#include "dwcp/memory/buffer_pool.hpp"

namespace dwcp::memory {

// The pool is the caller's, and outlives it. Threads: see BufferPool. What is allocated takes the
// size of its class in the pool: many small objects of one size are packed by SlabAllocator.
class PoolResource : public std::pmr::memory_resource {
  public:
    // To which memory can be aligned, in bytes.
    static constexpr std::size_t kAlignmentMax = std::size_t{2} << 20;

    explicit PoolResource(BufferPool& pool) noexcept : pool_(pool) {}

    [[nodiscard]] BufferPool& pool() const noexcept { return pool_; }

  private:
    // Throws what BufferPool::get() does, std::bad_alloc for an alignment beyond kAlignmentMax.
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        if (alignment > kAlignmentMax) throw std::bad_alloc();
        // A buffer of a class begins at a multiple of that, and a larger one at one of 2 MiB.
        return pool_.get(std::max(size, alignment));
    }
    void do_deallocate(void* data, std::size_t, std::size_t) override { pool_.put(data); }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        const auto* const same = dynamic_cast<const PoolResource*>(&other);
        return same != nullptr && &same->pool_ == &pool_;
    }

    BufferPool& pool_;
};

}  // namespace dwcp::memory
