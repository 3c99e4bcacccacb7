// 128-bit vectors of 64-bit Arm processors.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/vec/clmul_neon.hpp"

namespace dwcp::kernels {
namespace vec {
namespace {

#if !defined(__ARM_NEON) || !defined(__ARM_FEATURE_CRC32) || !defined(__ARM_FEATURE_AES)
#error "the flags of this tier must allow NEON, CRC32 and PMULL"
#endif
constexpr const char* kCompiledFor = "neon";

using Vec = uint8x16_t;

inline Vec load(const std::uint8_t* p) {
    return vld1q_u8(p);
}
inline void store(std::uint8_t* p, Vec v) {
    vst1q_u8(p, v);
}
// An ordinary store: there is no intrinsic for STNP, which is a hint only.
inline void stream(std::uint8_t* p, Vec v) {
    store(p, v);
}
inline void fence() {}
inline Vec bit_xor(Vec a, Vec b) {
    return veorq_u8(a, b);
}

inline Vec bit_or(Vec a, Vec b) {
    return vorrq_u8(a, b);
}
inline bool is_zero(Vec v) {
    return vmaxvq_u32(vreinterpretq_u32_u8(v)) == 0;
}

// Not zero where two lines differ anywhere.
inline Vec line_difference(const std::uint8_t* a, const std::uint8_t* b) {
    const Vec d0 = bit_xor(load(a), load(b));
    const Vec d1 = bit_xor(load(a + 16), load(b + 16));
    const Vec d2 = bit_xor(load(a + 32), load(b + 32));
    const Vec d3 = bit_xor(load(a + 48), load(b + 48));
    return bit_or(bit_or(d0, d1), bit_or(d2, d3));
}

inline std::uint64_t nonzero_mask(const std::uint8_t* line) {
    // One bit of each byte that is not zero, by its place in eight; adding neighbours three times
    // gathers eight bytes into one.
    const Vec bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    Vec marked[4];
    for (unsigned i = 0; i < 4; ++i) {
        const Vec v = load(line + 16 * i);
        marked[i] = vandq_u8(vtstq_u8(v, v), bits);
    }
    const Vec pairs = vpaddq_u8(vpaddq_u8(marked[0], marked[1]), vpaddq_u8(marked[2], marked[3]));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
}

// Sums and dot products, into lanes of 32 bits.
#define DWCP_VEC_SUMS 1
// Bytes in a group, as for other vectors of this width.
constexpr std::size_t kSumBytes = 64;

inline Vec zero() {
    return vdupq_n_u8(0);
}
inline Vec add32(Vec a, Vec b) {
    return vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}
inline Vec fill_words(std::uint16_t value) {
    return vreinterpretq_u8_u16(vdupq_n_u16(value));
}
inline Vec sum_bytes(Vec total, Vec v) {
    return vreinterpretq_u8_u32(vpadalq_u16(vreinterpretq_u32_u8(total), vpaddlq_u8(v)));
}
inline Vec dot_bytes(Vec total, Vec v, Vec weights) {
    uint32x4_t sum = vreinterpretq_u32_u8(total);
    sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(v), vget_low_u8(weights)));
    return vreinterpretq_u8_u32(vpadalq_u16(sum, vmull_high_u8(v, weights)));
}
inline Vec dot_words(Vec total, Vec v, Vec weights) {
    const int16x8_t a = vreinterpretq_s16_u8(v);
    const int16x8_t b = vreinterpretq_s16_u8(weights);
    const int32x4_t sum = vmlal_s16(vreinterpretq_s32_u8(total), vget_low_s16(a), vget_low_s16(b));
    return vreinterpretq_u8_s32(vmlal_high_s16(sum, a, b));
}

#include "kernels/vec/lanes.inl"

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
