// 512-bit vectors: one line is one register.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/vec/clmul_x86.hpp"

namespace dwcp::kernels {
namespace vec {
namespace {

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VL__) || \
    !defined(__AVX512VBMI2__) || !defined(__AVX512VNNI__) || !defined(__VPCLMULQDQ__)
#error "the flags of this tier must allow AVX-512 F, BW, VL, VBMI2, VNNI and VPCLMULQDQ"
#endif
constexpr const char* kCompiledFor = "avx512";

using Vec = __m512i;

inline Vec load(const std::uint8_t* p) {
    return _mm512_loadu_si512(p);
}
inline void store(std::uint8_t* p, Vec v) {
    _mm512_storeu_si512(p, v);
}
// Past the caches; p is aligned.
#define DWCP_VEC_STREAM 1
inline void stream(std::uint8_t* p, Vec v) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(p), v);
}
inline void fence() {
    _mm_sfence();
}
inline Vec bit_xor(Vec a, Vec b) {
    return _mm512_xor_si512(a, b);
}

inline Vec bit_or(Vec a, Vec b) {
    return _mm512_or_si512(a, b);
}
inline bool is_zero(Vec v) {
    return _mm512_test_epi64_mask(v, v) == 0;
}

// Not zero where two lines differ anywhere.
inline Vec line_difference(const std::uint8_t* a, const std::uint8_t* b) {
    return bit_xor(load(a), load(b));
}

inline std::uint64_t nonzero_mask(const std::uint8_t* line) {
    const Vec v = load(line);
    return _mm512_test_epi8_mask(v, v);
}

#define DWCP_VEC_WIDE_CLMUL 1
// Whether a 512-bit carry-less multiplication leaves every other cycle only.
inline bool wide_clmul_is_slow() {
    return __builtin_cpu_is("amd") != 0;
}

// size < 64: lanes beyond it are neither read nor written.
#define DWCP_VEC_MASKED 1
inline __mmask64 first_bytes(std::size_t size) {
    return _bzhi_u64(~0ull, static_cast<unsigned>(size));
}
inline Vec load_first(const std::uint8_t* p, std::size_t size) {
    return _mm512_maskz_loadu_epi8(first_bytes(size), p);
}
inline void store_first(std::uint8_t* p, Vec v, std::size_t size) {
    _mm512_mask_storeu_epi8(p, first_bytes(size), v);
}

// Sums and dot products, into lanes of 32 bits.
#define DWCP_VEC_SUMS 1
// Bytes in a group with weights below 128.
constexpr std::size_t kSumBytes = 128;

inline Vec zero() {
    return _mm512_setzero_si512();
}
inline Vec add32(Vec a, Vec b) {
    return _mm512_add_epi32(a, b);
}
inline Vec fill_words(std::uint16_t value) {
    return _mm512_set1_epi16(static_cast<short>(value));
}
inline Vec sum_bytes(Vec total, Vec v) {
    return _mm512_dpbusd_epi32(total, v, _mm512_set1_epi8(1));
}
inline Vec dot_bytes(Vec total, Vec v, Vec weights) {
    return _mm512_dpbusd_epi32(total, v, weights);
}
inline Vec dot_words(Vec total, Vec v, Vec weights) {
    return _mm512_dpwssd_epi32(total, v, weights);
}
inline std::uint64_t add_lanes64(Vec v) {
    const __m256i quarter =
        _mm256_add_epi64(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    const __m128i pair =
        _mm_add_epi64(_mm256_castsi256_si128(quarter), _mm256_extracti128_si256(quarter, 1));
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(pair)) +
           static_cast<std::uint64_t>(_mm_extract_epi64(pair, 1));
}
inline std::uint64_t add_lanes_unsigned(Vec v) {
    const Vec low = _mm512_and_si512(v, _mm512_set1_epi64(0xFFFFFFFF));
    return add_lanes64(_mm512_add_epi64(low, _mm512_srli_epi64(v, 32)));
}
inline std::int64_t add_lanes_signed(Vec v) {
    const Vec low = _mm512_srai_epi64(_mm512_slli_epi64(v, 32), 32);
    return static_cast<std::int64_t>(add_lanes64(_mm512_add_epi64(low, _mm512_srai_epi64(v, 32))));
}
// totals[i] is the sum of the lanes of vector i.
inline void add_lanes4(Vec v0, Vec v1, Vec v2, Vec v3, std::int32_t* totals) {
    const Vec v01 = add32(_mm512_unpacklo_epi32(v0, v1), _mm512_unpackhi_epi32(v0, v1));
    const Vec v23 = add32(_mm512_unpacklo_epi32(v2, v3), _mm512_unpackhi_epi32(v2, v3));
    const Vec all = add32(_mm512_unpacklo_epi64(v01, v23), _mm512_unpackhi_epi64(v01, v23));
    const __m256i half =
        _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(totals),
        _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}
constexpr std::size_t kPlainSumBytesMax = 0;

// Copies `size` bytes, fewer than `padded_bytes`, and zeros behind them.
inline void copy_padded(std::uint8_t* to, const std::uint8_t* from, std::size_t size,
                        std::size_t padded_bytes) {
    for (std::size_t i = 0; i < padded_bytes; i += 64) {
        const std::size_t left = size > i ? size - i : 0;
        store(to + i, left >= 64 ? load(from + i) : load_first(from + i, left));
    }
}

// Lanes of 64 bits.
#define DWCP_VEC_XXH3 1
inline Vec fill64(std::uint64_t value) {
    return _mm512_set1_epi64(static_cast<long long>(value));
}
inline Vec add64(Vec a, Vec b) {
    return _mm512_add_epi64(a, b);
}
// Products of the low halves of the lanes.
inline Vec multiply_low32(Vec a, Vec b) {
    return _mm512_mul_epu32(a, b);
}
inline Vec shift_right32(Vec v) {
    return _mm512_srli_epi64(v, 32);
}
inline Vec shift_right47(Vec v) {
    return _mm512_srli_epi64(v, 47);
}
inline Vec shift_left32(Vec v) {
    return _mm512_slli_epi64(v, 32);
}
// Neighbours swapped.
inline Vec swap64(Vec v) {
    return _mm512_shuffle_epi32(v, _MM_PERM_BADC);
}

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
