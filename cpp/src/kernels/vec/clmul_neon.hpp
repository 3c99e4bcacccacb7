// Carry-less multiplication and CRC-32C instructions of 64-bit Arm: the functions of clmul_x86.hpp.
#pragma once

#include <arm_acle.h>
#include <arm_neon.h>

#include <cstdint>

namespace dwcp::kernels {
namespace vec {
namespace {

#define DWCP_VEC_CLMUL 1

using Lane = uint64x2_t;

inline Lane lane_load(const std::uint8_t* p) {
    return vreinterpretq_u64_u8(vld1q_u8(p));
}
inline Lane lane_of(std::uint64_t first, std::uint64_t second) {
    return vcombine_u64(vcreate_u64(first), vcreate_u64(second));
}
inline std::uint64_t lane_first(Lane v) {
    return vgetq_lane_u64(v, 0);
}
inline Lane lane_swap(Lane v) {
    return vextq_u64(v, v, 1);
}
inline std::uint64_t lane_second(Lane v) {
    return vgetq_lane_u64(v, 1);
}
inline Lane lane_xor(Lane a, Lane b) {
    return veorq_u64(a, b);
}
inline Lane lane_and(Lane a, Lane b) {
    return vandq_u64(a, b);
}
inline Lane lane_double(Lane v) {
    return vshlq_n_u64(v, 1);
}
// Any index beyond 15 gives 0, so also those with the top bit set.
inline Lane lane_shuffle(Lane v, Lane index) {
    return vreinterpretq_u64_u8(vqtbl1q_u8(vreinterpretq_u8_u64(v), vreinterpretq_u8_u64(index)));
}
inline Lane multiply_first(Lane a, Lane b) {
    return vreinterpretq_u64_p128(vmull_p64(vgetq_lane_p64(vreinterpretq_p64_u64(a), 0),
                                            vgetq_lane_p64(vreinterpretq_p64_u64(b), 0)));
}
inline Lane multiply_second(Lane a, Lane b) {
    return vreinterpretq_u64_p128(
        vmull_high_p64(vreinterpretq_p64_u64(a), vreinterpretq_p64_u64(b)));
}

inline std::uint64_t crc32c_word(std::uint64_t state, std::uint64_t word) {
    return __crc32cd(static_cast<std::uint32_t>(state), word);
}
inline std::uint32_t crc32c_byte(std::uint32_t state, std::uint8_t byte) {
    return __crc32cb(state, byte);
}

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
