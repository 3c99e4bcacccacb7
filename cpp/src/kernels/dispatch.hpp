// Which table the kernels are called through.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernels/table.hpp"

namespace dwcp::kernels {

// Order of the rows in cpp/cmake/isa.cmake.
enum Tier : std::size_t {
#define DWCP_TIER_ROW(name, supported) kTier_##name,
#include "dwcp_tiers.def"
#undef DWCP_TIER_ROW
    kTierCount
};

struct TierInfo {
    const char* name;
    const Table* table;
    bool supported;
};

const TierInfo& tier(std::size_t index) noexcept;

extern std::atomic<const Table*> active_table;

// Tables are constant and published once: a relaxed load can only yield a complete one.
inline const Table& active() noexcept {
    return *active_table.load(std::memory_order_relaxed);
}

std::size_t active_tier() noexcept;

// With counted, calls go through a wrapper that counts them, so that a test can prove which
// instruction set did the work.
void activate(std::size_t index, bool counted) noexcept;

std::uint64_t counted_calls(std::size_t index) noexcept;

}  // namespace dwcp::kernels
