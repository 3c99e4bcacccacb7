#include "kernels/gear.hpp"

namespace dwcp::kernels {

namespace {

constexpr GearHalves make_halves() {
    GearHalves halves{};
    std::uint64_t state = kGearSeed;
    for (unsigned i = 0; i < 32; ++i) {
        std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        (i < 16 ? halves.low[i] : halves.high[i - 16]) = static_cast<std::uint32_t>(z >> 32);
    }
    return halves;
}

constexpr GearTable make_table() {
    constexpr GearHalves kHalves = make_halves();
    GearTable table{};
    for (unsigned i = 0; i < 256; ++i) table.values[i] = kHalves.low[i & 15] + kHalves.high[i >> 4];
    return table;
}

}  // namespace

constexpr GearHalves gear_halves = make_halves();
constexpr GearTable gear_table = make_table();

}  // namespace dwcp::kernels
