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

}  // namespace
}  // namespace vec
}  // namespace dwcp::kernels
