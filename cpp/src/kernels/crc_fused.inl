// CRC-32C on two units of the processor at once: carry-less multiplications fold one part of a
// block while the crc32 instruction runs along three others, whose results are joined by
// multiplication by x^n mod P. Three, because the instruction takes three cycles and starts one
// each cycle.

// Register after `zeros` more bits of zeros, as the product that crc32 still has to reduce: crc32
// multiplies by x^32, and the carry-less product comes out times x.
template <std::int64_t zeros>
inline Lane moved(std::uint32_t state) {
    constexpr std::uint64_t kPower = power_of_x_low<Crc32C>(zeros - 33);
    return vec::multiply_first(vec::lane_of(state, 0), vec::lane_of(kPower, 0));
}

#if defined(DWCP_VEC_WIDE_CLMUL)
using FoldVec = __m512i;
constexpr std::size_t kFusedVectors = kGroup;

inline FoldVec fold_load(const std::uint8_t* p) {
    return vec::load(p);
}
inline FoldVec fold_start(std::uint32_t state) {
    return _mm512_zextsi128_si512(vec::lane_of(state, 0));
}
inline FoldVec fold_xor(FoldVec a, FoldVec b) {
    return _mm512_xor_si512(a, b);
}
inline Lane fold_finish(const FoldVec* z) {
    const __m512i early = to_end<Crc32C, 2>(z[1], to_end<Crc32C, 3>(z[0], _mm512_setzero_si512()));
    return add_lanes(to_end<Crc32C, 0>(z[3], to_end<Crc32C, 1>(z[2], early)));
}
#else
using FoldVec = Lane;
constexpr std::size_t kFusedVectors = 8;

inline FoldVec fold_load(const std::uint8_t* p) {
    return vec::lane_load(p);
}
inline FoldVec fold_start(std::uint32_t state) {
    return vec::lane_of(state, 0);
}
inline FoldVec fold_xor(FoldVec a, FoldVec b) {
    return vec::lane_xor(a, b);
}
inline Lane fold_finish(FoldVec* lanes) {
    for (std::size_t i = 0; i < 4; ++i) lanes[i + 4] = fold<Crc32C, 512>(lanes[i], lanes[i + 4]);
    lanes[6] = fold<Crc32C, 256>(lanes[4], lanes[6]);
    lanes[7] = fold<Crc32C, 256>(lanes[5], lanes[7]);
    return fold<Crc32C, 128>(lanes[6], lanes[7]);
}
#endif

// A block of kRounds rounds: in each, kFusedVectors vectors are folded and kWords words taken by
// each of the three streams.
template <std::size_t kRounds, std::size_t kWords>
struct Fused {
    static constexpr std::size_t kFoldBytes = kFusedVectors * sizeof(FoldVec);
    static constexpr std::size_t kStreamBytes = kRounds * kWords * 8;
    static constexpr std::size_t kBytes = kRounds * kFoldBytes + 3 * kStreamBytes;

    static std::uint32_t run(std::uint32_t state, const std::uint8_t* data) {
        FoldVec z[kFusedVectors];
        for (std::size_t i = 0; i < kFusedVectors; ++i)
            z[i] = fold_load(data + i * sizeof(FoldVec));
        z[0] = fold_xor(z[0], fold_start(state));
        const std::uint8_t* stream = data + kRounds * kFoldBytes;
        std::uint64_t a = 0;
        std::uint64_t b = 0;
        std::uint64_t c = 0;
        for (std::size_t round = 0;;) {
            for (std::size_t i = 0; i < kWords; ++i) {
                a = vec::crc32c_word(a, load64(stream + 8 * i));
                b = vec::crc32c_word(b, load64(stream + kStreamBytes + 8 * i));
                c = vec::crc32c_word(c, load64(stream + 2 * kStreamBytes + 8 * i));
            }
            if (++round == kRounds) break;
            stream += 8 * kWords;
            data += kFoldBytes;
            for (std::size_t i = 0; i < kFusedVectors; ++i) {
                z[i] = fold<Crc32C, 8 * kFoldBytes>(z[i], fold_load(data + i * sizeof(FoldVec)));
            }
        }
        const Lane lane = fold_finish(z);
        const auto folded = static_cast<std::uint32_t>(
            vec::crc32c_word(vec::crc32c_word(0, vec::lane_first(lane)), vec::lane_second(lane)));
        constexpr auto kBits = static_cast<std::int64_t>(8 * kStreamBytes);
        const Lane sum =
            vec::lane_xor(vec::lane_xor(moved<3 * kBits>(folded),
                                        moved<2 * kBits>(static_cast<std::uint32_t>(a))),
                          moved<kBits>(static_cast<std::uint32_t>(b)));
        return static_cast<std::uint32_t>(c ^ vec::crc32c_word(0, vec::lane_first(sum)));
    }
};

// Takes what fills a block from the front of the message; returns how many bytes.
template <std::size_t kWords>
inline std::size_t crc32c_fused(std::uint32_t* state, const std::uint8_t* data, std::size_t size) {
    using Long = Fused<256, kWords>;
    using Short = Fused<32, kWords>;
    if (size >= Long::kBytes) {
        *state = Long::run(*state, data);
        return Long::kBytes;
    }
    if (size >= Short::kBytes) {
        *state = Short::run(*state, data);
        return Short::kBytes;
    }
    return 0;
}
