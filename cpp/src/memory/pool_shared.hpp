// What the threads of a buffer pool share.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dwcp/memory/buffer_pool.hpp"
#include "dwcp/os/reserved_memory.hpp"
#include "memory/shared_caches.hpp"

namespace dwcp::memory {

// Memory is made region by region, each for buffers of one class, or several in a row for a larger
// one. The mutex is for what follows `full`.
struct BufferPool::Shared final : detail::SharedCaches {
    static constexpr std::size_t kRegionBytes = os::ReservedMemory::kAlignment;
    static constexpr std::size_t kRegionMarks = kRegionBytes / kSmallestClassBytes;

    // How many buffers of a class go to or from the other threads at once.
    static constexpr std::uint32_t batch(std::size_t size_class) noexcept {
        return detail::batch_for(class_bytes(size_class), 2);
    }

    struct Region {
        std::size_t made = 0;  // buffers of a class
    };
    struct ClassMemory {
        std::size_t place = 0;  // of the next new buffer, up to `end`
        std::size_t end = 0;
        std::uint64_t misses = 0;
        std::uint64_t held = 0;
        std::uint64_t held_max = 0;
    };
    struct Larger {
        std::size_t regions;
        std::size_t bytes;  // whose pages are there
        std::size_t held;
    };

    Shared(const PoolOptions& options, std::atomic<std::size_t>& used_granules);

    std::size_t place_of(const void* buffer) const noexcept {
        return static_cast<std::size_t>(static_cast<const std::byte*>(buffer) - memory.data());
    }
    // Where the mark of granule 0 would be.
    std::atomic<std::uint8_t>* marks_of_granules() const noexcept {
        return reinterpret_cast<std::atomic<std::uint8_t>*>(
            reinterpret_cast<std::uintptr_t>(marks.data()) - granule_of(memory.data()));
    }

    // Puts up to `want` new buffers of a class into `items` and returns how many; 0 beyond the
    // limit. Throws std::bad_alloc.
    std::uint32_t make(std::size_t size_class, std::uint32_t want, std::byte** items);
    // Regions in a row that are free from here on to be written to. Throws std::bad_alloc.
    std::size_t take_regions(std::size_t count);
    void give_regions(std::size_t first, std::size_t count);
    // Brings pages to new memory, huge ones if they can be had and are wished for.
    void bring_pages(std::byte* data, std::size_t size) noexcept;
    // A buffer beyond the classes: one that was kept, or a new one; nullptr beyond the limit.
    // Throws std::bad_alloc.
    std::byte* take_larger(std::size_t bytes, bool& is_new);
    void give_larger(std::size_t place);
    // Gives larger buffers that are kept back to the kernel, the first ones first, until there are
    // at most so many bytes of them; returns how many it gave.
    std::size_t drop_kept(std::size_t bytes_max);
    bool is_within_limit(std::size_t more) const noexcept {
        return more <= limit_bytes && held <= limit_bytes - more;
    }
    void count_held(std::uint64_t& class_held, std::uint64_t& class_held_max,
                    std::size_t more) noexcept;

    void empty_out(detail::ThreadCache& cache) override;
    // The last buffers of one class that a cache has, to the other threads.
    void give_from(Cache& cache, std::size_t size_class, std::uint32_t count);
    // Gives regions back of which nothing is in use; returns how many bytes.
    std::size_t trim_class(std::size_t size_class);

    std::atomic<std::size_t>& used;  // granules
    const std::size_t limit_bytes;
    const std::size_t keep_larger_bytes;
    const bool huge_pages;
    os::ReservedMemory memory;
    os::ReservedMemory marks;
    std::string reason;  // why it does not lie as was wished for, as far as that was known at once

    std::array<detail::Magazines, kSizeClasses> full;

    std::vector<std::unique_ptr<Cache>> caches;
    std::array<ClassMemory, kSizeClasses> classes;
    std::vector<Region> regions;
    std::map<std::size_t, std::size_t> free_regions;  // the first of a row, how many
    std::map<std::size_t, Larger> larger;             // by place, in use or kept
    std::vector<std::size_t> kept;                    // places of those that nobody uses, in order
    std::size_t kept_bytes = 0;
    std::uint64_t larger_gets = 0;
    std::uint64_t larger_puts = 0;
    std::uint64_t larger_misses = 0;
    std::uint64_t larger_held = 0;
    std::uint64_t larger_held_max = 0;
    std::uint64_t held = 0;
    std::uint64_t held_max = 0;

  private:
    detail::ThreadCache* make_cache() override;
};

}  // namespace dwcp::memory
