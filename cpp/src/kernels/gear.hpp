// The table of the gear hash: 256 pseudo-random values of 32 bits, each the sum of two, one chosen
// by the low and one by the high half of the byte, so that two tables of 16 are enough. They are
// the high halves of the numbers that splitmix64 (G. Steele et al., "Fast Splittable Pseudorandom
// Number Generators", 2014) gives from kGearSeed: 16 for low halves, then 16 for high halves.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwcp::kernels {

// Bytes that a hash depends on: the bits of one.
inline constexpr std::size_t kGearWindow = 32;

// The letters "dwcpgear".
inline constexpr std::uint64_t kGearSeed = 0x7261656770637764u;

struct GearHalves {
    alignas(64) std::uint32_t low[16];
    alignas(64) std::uint32_t high[16];
};
struct GearTable {
    std::uint32_t values[256];
};

// Defined once, in gear.cpp.
extern const GearHalves gear_halves;
extern const GearTable gear_table;

}  // namespace dwcp::kernels
