// Folding with four lanes of 16 bytes in one register of 512 bits.
//
// There is no code for tails: what a message lacks to whole vectors, and to whole groups of them,
// is added in front of it as zeros, which change nothing once the register is in the first bytes.

constexpr std::size_t kGroup = 4;

// lanes * x^bits + data
template <typename Crc, unsigned bits>
inline __m512i fold(__m512i lanes, __m512i data) {
    const __m512i k =
        _mm512_broadcast_i32x4(vec::lane_of(Fold<Crc, bits>::kFirst, Fold<Crc, bits>::kSecond));
    const __m512i first = _mm512_clmulepi64_epi128(lanes, k, 0x00);
    const __m512i second = _mm512_clmulepi64_epi128(lanes, k, 0x11);
    return _mm512_ternarylogic_epi64(first, second, data, 0x96);
}

// For each lane of a vector that `vectors` others follow: what takes it to the end of the message.
// The last lane of all is multiplied by x^0, in the form of x^64 and x^-1 for its two halves.
template <typename Crc, unsigned vectors>
struct ToEnd {
    struct Constants {
        alignas(64) std::uint64_t k[8];
    };
    static constexpr Constants make() {
        Constants constants{};
        for (unsigned lane = 0; lane < 4; ++lane) {
            const std::int64_t bits = 512 * std::int64_t{vectors} + 128 * (3 - std::int64_t{lane});
            constants.k[2 * lane] = power_of_x<Crc>(bits + 63);
            constants.k[2 * lane + 1] = power_of_x<Crc>(bits - 1);
        }
        return constants;
    }
    static constexpr Constants kConstants = make();
    static __m512i load() { return _mm512_load_si512(kConstants.k); }
};

template <typename Crc, unsigned vectors>
inline __m512i to_end(__m512i lanes, __m512i sum) {
    const __m512i k = ToEnd<Crc, vectors>::load();
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, k, 0x00),
                                     _mm512_clmulepi64_epi128(lanes, k, 0x11), sum, 0x96);
}

inline Lane add_lanes(__m512i v) {
    const __m256i half =
        _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// A lane congruent to the message of at least 16 bytes, which is kFar when it comes from beyond the
// first-level cache, and whose size has a remainder by 64 that is 0
// or at least the bytes of a register.
template <typename Crc, bool kFar = false>
inline Lane fold_message(std::uint64_t state, const std::uint8_t* data, std::size_t size) {
    const std::size_t head = size % 64;
    const __m512i zero = _mm512_setzero_si512();
    const __m512i start = _mm512_zextsi128_si512(vec::lane_of(state, 0));
    __m512i first;
    if (head == 0) {
        first = _mm512_xor_si512(vec::load(data), start);
        data += 64;
        size -= 64;
    } else {
        first = _mm512_xor_si512(vec::load_first(data, head), start);
        first = _mm512_maskz_expand_epi8(~0ull << (64 - head), first);
        data += head;
        size -= head;
    }
    if (size == 0) return add_lanes(to_end<Crc, 0>(first, zero));
    __m512i z[kGroup];
    switch (size / 64 % kGroup) {
        case 0:
            z[0] = z[1] = z[2] = zero;
            z[3] = first;
            break;
        case 1:
            if (size == 64)
                return add_lanes(to_end<Crc, 0>(vec::load(data), to_end<Crc, 1>(first, zero)));
            z[0] = z[1] = zero;
            z[2] = first;
            z[3] = vec::load(data);
            break;
        case 2:
            z[0] = zero;
            z[1] = first;
            z[2] = vec::load(data);
            z[3] = vec::load(data + 64);
            break;
        default:
            z[0] = first;
            z[1] = vec::load(data);
            z[2] = vec::load(data + 64);
            z[3] = vec::load(data + 128);
            break;
    }
    data += size % (64 * kGroup);
    size -= size % (64 * kGroup);
    for (; size > 0; data += 64 * kGroup, size -= 64 * kGroup) {
        for (std::size_t i = 0; i < kGroup; ++i) {
            if constexpr (kFar) __builtin_prefetch(data + kPrefetchBytes + 64 * i);
            z[i] = fold<Crc, 512 * kGroup>(z[i], vec::load(data + 64 * i));
        }
    }
    const __m512i early = to_end<Crc, 2>(z[1], to_end<Crc, 3>(z[0], zero));
    const __m512i late = to_end<Crc, 0>(z[3], to_end<Crc, 1>(z[2], zero));
    return add_lanes(_mm512_xor_si512(early, late));
}
