// Portable code: 64-bit words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dwcp::kernels {
namespace vec {
namespace {

#if defined(__SSSE3__)
#error "the portable tier must not be compiled with vector flags"
#endif
constexpr const char* kCompiledFor = "scalar";

using Vec = std::uint64_t;

inline Vec load(const std::uint8_t* p) {
    Vec v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
inline void store(std::uint8_t* p, Vec v) {
    std::memcpy(p, &v, sizeof v);
}
inline void stream(std::uint8_t* p, Vec v) {
    store(p, v);
}
inline void fence() {}
inline Vec bit_xor(Vec a, Vec b) {
    return a ^ b;
}

inline Vec bit_or(Vec a, Vec b) {
    return a | b;
}
inline bool is_zero(Vec v) {
    return v == 0;
}

// Not zero where two lines differ anywhere.
inline Vec line_difference(const std::uint8_t* a, const std::uint8_t* b) {
    Vec difference = 0;
    for (std::size_t i = 0; i < 64; i += 8) difference |= load(a + i) ^ load(b + i);
    return difference;
}

inline std::uint64_t nonzero_mask(const std::uint8_t* line) {
    constexpr std::uint64_t kLow7 = 0x7F7F7F7F7F7F7F7Fu;
    std::uint64_t mask = 0;
    for (unsigned i = 0; i < 8; ++i) {
        const std::uint64_t word = load(line + 8 * i);
        // The top bit of each byte is set where that byte is not zero ...
        const std::uint64_t high = (((word & kLow7) + kLow7) | word) & ~kLow7;
        // ... and the multiplication gathers the eight of them into one byte.
        mask |= (((high >> 7) * 0x0102040810204080u) >> 56) << (8 * i);
    }
    return mask;
}

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
