// 256-bit vectors.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/vec/clmul_x86.hpp"

namespace dwcp::kernels {
namespace vec {
namespace {

#if !defined(__AVX2__) || defined(__AVX512F__)
#error "the flags of this tier must allow AVX2 and nothing above"
#endif
constexpr const char* kCompiledFor = "avx2";

using Vec = __m256i;

inline Vec load(const std::uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store(std::uint8_t* p, Vec v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}
// Past the caches; p is aligned.
#define DWCP_VEC_STREAM 1
inline void stream(std::uint8_t* p, Vec v) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(p), v);
}
inline void fence() {
    _mm_sfence();
}
inline Vec bit_xor(Vec a, Vec b) {
    return _mm256_xor_si256(a, b);
}

inline Vec bit_or(Vec a, Vec b) {
    return _mm256_or_si256(a, b);
}
inline bool is_zero(Vec v) {
    return _mm256_testz_si256(v, v) != 0;
}

// Not zero where two lines differ anywhere.
inline Vec line_difference(const std::uint8_t* a, const std::uint8_t* b) {
    return bit_or(bit_xor(load(a), load(b)), bit_xor(load(a + 32), load(b + 32)));
}

inline std::uint64_t nonzero_mask(const std::uint8_t* line) {
    const Vec zero = _mm256_setzero_si256();
    const auto low =
        static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(line), zero)));
    const auto high =
        static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(line + 32), zero)));
    return ~(static_cast<std::uint64_t>(high) << 32 | low);
}

// Sums and dot products, into lanes of 32 bits.
#define DWCP_VEC_SUMS 1
// Bytes in a group: weights below 64, so that the sum of two products stays within 16 bits.
constexpr std::size_t kSumBytes = 64;

inline Vec zero() {
    return _mm256_setzero_si256();
}
inline Vec add32(Vec a, Vec b) {
    return _mm256_add_epi32(a, b);
}
inline Vec fill_words(std::uint16_t value) {
    return _mm256_set1_epi16(static_cast<short>(value));
}
inline Vec sum_bytes(Vec total, Vec v) {
    return _mm256_add_epi32(total, _mm256_sad_epu8(v, zero()));
}
inline Vec dot_words(Vec total, Vec v, Vec weights) {
    return _mm256_add_epi32(total, _mm256_madd_epi16(v, weights));
}
inline Vec dot_bytes(Vec total, Vec v, Vec weights) {
    return dot_words(total, _mm256_maddubs_epi16(v, weights), fill_words(1));
}

// Lanes of 64 bits.
#define DWCP_VEC_XXH3 1
inline Vec fill64(std::uint64_t value) {
    return _mm256_set1_epi64x(static_cast<long long>(value));
}
inline Vec add64(Vec a, Vec b) {
    return _mm256_add_epi64(a, b);
}
// Products of the low halves of the lanes.
inline Vec multiply_low32(Vec a, Vec b) {
    return _mm256_mul_epu32(a, b);
}
inline Vec shift_right32(Vec v) {
    return _mm256_srli_epi64(v, 32);
}
inline Vec shift_right47(Vec v) {
    return _mm256_srli_epi64(v, 47);
}
inline Vec shift_left32(Vec v) {
    return _mm256_slli_epi64(v, 32);
}
// Neighbours swapped.
inline Vec swap64(Vec v) {
    return _mm256_shuffle_epi32(v, 0x4E);
}

#include "kernels/vec/lanes.inl"

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
