// XOR of two buffers into a third.

template <typename Word>
inline void xor_ends(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b,
                     std::size_t size) {
    // Two words that may overlap in the middle; both are read before either is written, so out may
    // be a or b.
    Word a0, b0, a1, b1;
    __builtin_memcpy(&a0, a, sizeof(Word));
    __builtin_memcpy(&b0, b, sizeof(Word));
    __builtin_memcpy(&a1, a + size - sizeof(Word), sizeof(Word));
    __builtin_memcpy(&b1, b + size - sizeof(Word), sizeof(Word));
    const Word low = static_cast<Word>(a0 ^ b0);
    const Word high = static_cast<Word>(a1 ^ b1);
    __builtin_memcpy(out, &low, sizeof(Word));
    __builtin_memcpy(out + size - sizeof(Word), &high, sizeof(Word));
}

// size < sizeof(Vec)
inline void xor_small(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b,
                      std::size_t size) {
#if defined(DWCP_VEC_MASKED)
    vec::store_first(out, vec::bit_xor(vec::load_first(a, size), vec::load_first(b, size)), size);
#else
#if defined(__SSSE3__)
    if (size >= 16) {
        const __m128i low = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)),
                                          _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
        const __m128i high =
            _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + size - 16)),
                          _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + size - 16)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), low);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + size - 16), high);
        return;
    }
#endif
    if (size >= 8) {
        xor_ends<std::uint64_t>(out, a, b, size);
    } else if (size >= 4) {
        xor_ends<std::uint32_t>(out, a, b, size);
    } else if (size >= 2) {
        xor_ends<std::uint16_t>(out, a, b, size);
    } else if (size == 1) {
        out[0] = static_cast<std::uint8_t>(a[0] ^ b[0]);
    }
#endif
}

inline void xor_anywhere(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b,
                         std::size_t size) {
    constexpr std::size_t kVec = sizeof(vec::Vec);
    if (size < kVec) {
        xor_small(out, a, b, size);
        return;
    }
    // The last vector is read before anything is written and stored at the end: it may overlap what
    // the loop wrote, with the same values.
    const vec::Vec last = vec::bit_xor(vec::load(a + size - kVec), vec::load(b + size - kVec));
    std::size_t i = 0;
    for (; i + 4 * kVec <= size; i += 4 * kVec) {
        const vec::Vec v0 = vec::bit_xor(vec::load(a + i), vec::load(b + i));
        const vec::Vec v1 = vec::bit_xor(vec::load(a + i + kVec), vec::load(b + i + kVec));
        const vec::Vec v2 = vec::bit_xor(vec::load(a + i + 2 * kVec), vec::load(b + i + 2 * kVec));
        const vec::Vec v3 = vec::bit_xor(vec::load(a + i + 3 * kVec), vec::load(b + i + 3 * kVec));
        vec::store(out + i, v0);
        vec::store(out + i + kVec, v1);
        vec::store(out + i + 2 * kVec, v2);
        vec::store(out + i + 3 * kVec, v3);
    }
    for (; i + kVec <= size; i += kVec) {
        vec::store(out + i, vec::bit_xor(vec::load(a + i), vec::load(b + i)));
    }
    vec::store(out + size - kVec, last);
}

constexpr std::size_t kAlignBytesMin = 1024;

void xor_bytes(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::size_t size) {
    // A store that straddles two lines costs two, and processors write out the halves of a line
    // together only when they come one after the other.
    const std::size_t head = size < kAlignBytesMin ? 0 : bytes_to_line(out);
    if (head > 0) xor_anywhere(out, a, b, head);
    xor_anywhere(out + head, a + head, b + head, size - head);
}

void xor_bytes_streaming(std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b,
                         std::size_t size) {
    constexpr std::size_t kVec = sizeof(vec::Vec);
    // Non-temporal stores need an aligned destination, and whole lines to be worth anything.
    const std::size_t head = bytes_to_line(out);
    if (size < head + kLineBytes) {
        xor_bytes(out, a, b, size);
        return;
    }
    xor_bytes(out, a, b, head);
    std::size_t i = head;
    for (; i + kLineBytes <= size; i += kLineBytes) {
        for (std::size_t j = 0; j < kLineBytes; j += kVec) {
            vec::stream(out + i + j, vec::bit_xor(vec::load(a + i + j), vec::load(b + i + j)));
        }
    }
    vec::fence();
    xor_bytes(out + i, a + i, b + i, size - i);
}
