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

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
