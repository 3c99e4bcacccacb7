// Carry-less multiplication and CRC-32C instructions of x86-64: a Lane is 16 bytes of a message.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace dwcp::kernels {
namespace vec {
namespace {

#define DWCP_VEC_CLMUL 1

using Lane = __m128i;

inline Lane lane_load(const std::uint8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline Lane lane_of(std::uint64_t first, std::uint64_t second) {
    return _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first));
}
inline std::uint64_t lane_first(Lane v) {
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(v));
}
inline Lane lane_swap(Lane v) {
    return _mm_shuffle_epi32(v, 0x4E);
}
inline std::uint64_t lane_second(Lane v) {
    return static_cast<std::uint64_t>(_mm_extract_epi64(v, 1));
}
inline Lane lane_xor(Lane a, Lane b) {
    return _mm_xor_si128(a, b);
}
inline Lane lane_and(Lane a, Lane b) {
    return _mm_and_si128(a, b);
}
// Both halves shifted left by one bit.
inline Lane lane_double(Lane v) {
    return _mm_slli_epi64(v, 1);
}
// Byte j of the result is byte index[j] of v, or 0 where the top bit of index[j] is set.
inline Lane lane_shuffle(Lane v, Lane index) {
    return _mm_shuffle_epi8(v, index);
}
// Product of the first halves, of the second halves.
inline Lane multiply_first(Lane a, Lane b) {
    return _mm_clmulepi64_si128(a, b, 0x00);
}
inline Lane multiply_second(Lane a, Lane b) {
    return _mm_clmulepi64_si128(a, b, 0x11);
}

inline std::uint64_t crc32c_word(std::uint64_t state, std::uint64_t word) {
    return _mm_crc32_u64(state, word);
}
inline std::uint32_t crc32c_byte(std::uint32_t state, std::uint8_t byte) {
    return _mm_crc32_u8(state, byte);
}

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
