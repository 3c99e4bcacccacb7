// What happened in a pool.
#pragma once

#include <cstdint>

namespace dwcp::memory {

// Of one class or of all. Each number is exact as of some moment during stats(), and all of them
// together when no other thread uses the pool meanwhile.
struct PoolCounts {
    std::uint64_t allocations = 0;
    std::uint64_t deallocations = 0;
    std::uint64_t misses = 0;          // allocations for which new memory was made
    std::uint64_t bytes_held = 0;      // from the kernel, in use or not
    std::uint64_t bytes_held_max = 0;  // the most at one time
    [[nodiscard]] std::uint64_t hits() const noexcept { return allocations - misses; }
    [[nodiscard]] double hit_rate() const noexcept {
        return allocations == 0 ? 0
                                : static_cast<double>(hits()) / static_cast<double>(allocations);
    }
};

}  // namespace dwcp::memory
