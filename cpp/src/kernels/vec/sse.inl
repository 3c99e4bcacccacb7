// 128-bit vectors, shared by ssse3 and sse42, which differ in what else the compiler may use.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace dwcp::kernels {
namespace vec {
namespace {

using Vec = __m128i;

inline Vec load(const std::uint8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline void store(std::uint8_t* p, Vec v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
}
// Past the caches; p is aligned.
#define DWCP_VEC_STREAM 1
inline void stream(std::uint8_t* p, Vec v) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(p), v);
}
inline void fence() {
    _mm_sfence();
}
inline Vec bit_xor(Vec a, Vec b) {
    return _mm_xor_si128(a, b);
}

inline Vec bit_or(Vec a, Vec b) {
    return _mm_or_si128(a, b);
}
inline bool is_zero(Vec v) {
    return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xFFFF;
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
    std::uint64_t zero = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const Vec equal = _mm_cmpeq_epi8(load(line + 16 * i), _mm_setzero_si128());
        zero |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(equal)))
                << (16 * i);
    }
    return ~zero;
}

// Sums and dot products, into lanes of 32 bits.
#define DWCP_VEC_SUMS 1
// Bytes in a group: weights below 64, so that the sum of two products stays within 16 bits.
constexpr std::size_t kSumBytes = 64;

inline Vec zero() {
    return _mm_setzero_si128();
}
inline Vec add32(Vec a, Vec b) {
    return _mm_add_epi32(a, b);
}
inline Vec fill_words(std::uint16_t value) {
    return _mm_set1_epi16(static_cast<short>(value));
}
inline Vec sum_bytes(Vec total, Vec v) {
    return _mm_add_epi32(total, _mm_sad_epu8(v, zero()));
}
inline Vec dot_words(Vec total, Vec v, Vec weights) {
    return _mm_add_epi32(total, _mm_madd_epi16(v, weights));
}
inline Vec dot_bytes(Vec total, Vec v, Vec weights) {
    return dot_words(total, _mm_maddubs_epi16(v, weights), fill_words(1));
}

// Lanes of 64 bits.
#define DWCP_VEC_XXH3 1
inline Vec fill64(std::uint64_t value) {
    return _mm_set1_epi64x(static_cast<long long>(value));
}
inline Vec add64(Vec a, Vec b) {
    return _mm_add_epi64(a, b);
}
// Products of the low halves of the lanes.
inline Vec multiply_low32(Vec a, Vec b) {
    return _mm_mul_epu32(a, b);
}
inline Vec shift_right32(Vec v) {
    return _mm_srli_epi64(v, 32);
}
inline Vec shift_right47(Vec v) {
    return _mm_srli_epi64(v, 47);
}
inline Vec shift_left32(Vec v) {
    return _mm_slli_epi64(v, 32);
}
// Neighbours swapped.
inline Vec swap64(Vec v) {
    return _mm_shuffle_epi32(v, 0x4E);
}

#include "kernels/vec/lanes.inl"

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
