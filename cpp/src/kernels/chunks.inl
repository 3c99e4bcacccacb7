// The gear hash of content-defined chunking: at each position the sum of a value for each of the
// last 32 bytes, doubled once for each byte since,
//
//     hash = 2 * hash + gear[byte]   modulo 2^32
//
// so that bytes further back have left it. The table is in gear.hpp.

// Hash of the 32 bytes that end with `end`.
inline std::uint32_t gear_hash(const std::uint8_t* end) {
    std::uint32_t hash = 0;
    for (std::size_t i = 0; i < kGearWindow; ++i) {
        hash = 2 * hash + gear_table.values[end[static_cast<std::ptrdiff_t>(i + 1) -
                                                static_cast<std::ptrdiff_t>(kGearWindow)]];
    }
    return hash;
}

inline std::size_t gear_hits_plain(const std::uint8_t* data, std::size_t first, std::size_t last,
                                   std::uint32_t threshold, std::size_t offset,
                                   std::uint32_t* offsets, std::uint32_t* hashes) {
    if (first >= last) return 0;
    std::size_t count = 0;
    std::uint32_t hash = gear_hash(data + first - 1);
    for (std::size_t i = first; i < last; ++i) {
        hash = 2 * hash + gear_table.values[data[i]];
        if (__builtin_expect(hash < threshold, 0)) {
            offsets[count] = static_cast<std::uint32_t>(i - first + offset);
            hashes[count] = hash;
            ++count;
        }
    }
    return count;
}

#if defined(__AVX512F__)

// Sixteen parts of the range side by side, one in each lane, four bytes of each a round. A value of
// the table is the sum of two, one for each half of the byte, which one permutation each finds.
struct GearLanes {
    static constexpr std::size_t kLanes = 16;
    static constexpr std::size_t kRoundBytes = 4;

    __m512i low = _mm512_load_si512(gear_halves.low);
    __m512i high = _mm512_load_si512(gear_halves.high);
    __m512i hash = _mm512_setzero_si512();

    // Takes byte `byte` of each lane of `words`.
    template <int byte>
    void take(__m512i words) {
        const __m512i value = _mm512_add_epi32(
            _mm512_permutexvar_epi32(_mm512_srli_epi32(words, 8 * byte), low),
            _mm512_permutexvar_epi32(_mm512_srli_epi32(words, 8 * byte + 4), high));
        hash = _mm512_add_epi32(_mm512_add_epi32(hash, hash), value);
    }
};

inline std::size_t gear_hits_lanes(const std::uint8_t* data, std::size_t first,
                                   std::size_t part_bytes, std::uint32_t threshold,
                                   std::uint32_t* offsets, std::uint32_t* hashes) {
    constexpr std::size_t kLanes = GearLanes::kLanes;
    GearLanes lanes;
    const __m512i starts =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32(static_cast<int>(part_bytes)));
    const __m512i bound = _mm512_set1_epi32(static_cast<int>(threshold));
    const std::uint8_t* at = data + first - kGearWindow;
    for (std::size_t i = 0; i < kGearWindow; i += 4, at += 4) {
        const __m512i words = _mm512_i32gather_epi32(starts, at, 1);
        lanes.take<0>(words);
        lanes.take<1>(words);
        lanes.take<2>(words);
        lanes.take<3>(words);
    }
    // The hits of each lane go to a part of the output of its own.
    std::size_t counts[kLanes] = {};
    for (std::size_t i = 0; i < part_bytes; i += 4, at += 4) {
        const __m512i words = _mm512_i32gather_epi32(starts, at, 1);
        __m512i seen[4];
        __mmask16 hits[4];
        lanes.take<0>(words);
        seen[0] = lanes.hash;
        lanes.take<1>(words);
        seen[1] = lanes.hash;
        lanes.take<2>(words);
        seen[2] = lanes.hash;
        lanes.take<3>(words);
        seen[3] = lanes.hash;
        const __m512i least = _mm512_min_epu32(_mm512_min_epu32(seen[0], seen[1]),
                                               _mm512_min_epu32(seen[2], seen[3]));
        if (__builtin_expect(_mm512_cmplt_epu32_mask(least, bound) == 0, 1)) continue;
        for (unsigned byte = 0; byte < 4; ++byte) {
            hits[byte] = _mm512_cmplt_epu32_mask(seen[byte], bound);
            alignas(64) std::uint32_t values[kLanes];
            _mm512_store_si512(values, seen[byte]);
            for (unsigned rest = hits[byte]; rest != 0; rest &= rest - 1) {
                const auto lane = static_cast<std::size_t>(__builtin_ctz(rest));
                const std::size_t to = lane * part_bytes + counts[lane]++;
                offsets[to] = static_cast<std::uint32_t>(lane * part_bytes + i + byte);
                hashes[to] = values[lane];
            }
        }
    }
    std::size_t count = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        for (std::size_t i = 0; i < counts[lane]; ++i) {
            offsets[count] = offsets[lane * part_bytes + i];
            hashes[count] = hashes[lane * part_bytes + i];
            ++count;
        }
    }
    return count;
}

#endif

std::size_t gear_hits(const std::uint8_t* data, std::size_t first, std::size_t last,
                      std::uint32_t threshold, std::uint32_t* offsets, std::uint32_t* hashes) {
    std::size_t count = 0;
    std::size_t done = 0;
#if defined(__AVX512F__)
    // Each part begins with the 32 bytes before it: short ones are not worth that.
    constexpr std::size_t kPartBytesMin = 64;
    const std::size_t part = (last - first) / GearLanes::kLanes / 4 * 4;
    if (first < last && part >= kPartBytesMin) {
        count = gear_hits_lanes(data, first, part, threshold, offsets, hashes);
        done = part * GearLanes::kLanes;
    }
#endif
    return count + gear_hits_plain(data, first + done, last, threshold, done, offsets + count,
                                   hashes + count);
}
