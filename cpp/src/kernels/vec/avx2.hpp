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

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
