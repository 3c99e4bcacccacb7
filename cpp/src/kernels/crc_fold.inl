// CRCs by carry-less multiplication, 16 bytes at a time (V. Gopal et al., "Fast CRC Computation for
// Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009). A lane of 16 bytes is replaced by
// a congruent one further on in the message and added there, until one lane is left, whose
// remainder is found by Barrett reduction. The constants are derived in crc_constants.hpp.
//
// A register of fewer bits than the message is XORed into its first bytes: the CRC of a message
// from a register equals that of the changed message from zero.

using vec::Lane;

constexpr std::size_t kLaneBytes = 16;

// lane * x^bits + data
template <typename Crc, unsigned bits>
inline Lane fold(Lane lane, Lane data) {
    const Lane k = vec::lane_of(Fold<Crc, bits>::kFirst, Fold<Crc, bits>::kSecond);
    return vec::lane_xor(vec::lane_xor(vec::multiply_first(lane, k), vec::multiply_second(lane, k)),
                         data);
}

// What is left of the carry-less product of a wide residue (first half of the product: the
// coefficients x^127 .. x^64, but one bit too far down): quotient * W, without the leading term.
template <typename Crc>
inline Lane times_wide(Lane residue) {
    constexpr std::uint64_t kQuotient = barrett_quotient<Crc>();
    const Lane constants = vec::lane_of(kQuotient, Crc::kPoly);
    const Lane quotient =
        vec::lane_xor(residue, vec::lane_double(vec::multiply_first(residue, constants)));
    return vec::multiply_first(quotient, vec::lane_swap(constants));
}

// residue * x^64 modulo the wide polynomial: the quotient is residue + floor(residue * m / x^64),
// and the low half of quotient * W is what remains. Only the first half of `residue` counts.
template <typename Crc>
inline std::uint64_t reduce(Lane residue) {
    const Lane product = times_wide<Crc>(residue);
    return (vec::lane_second(product) << 1) | (vec::lane_first(product) >> 63);
}

// Register after the 16 bytes of the lane, from zero: lane * x^64 modulo the wide polynomial.
template <typename Crc>
inline std::uint64_t remainder(Lane lane) {
    constexpr std::uint64_t kFirst = wide_power_of_x<Crc>(127);
    const Lane product = vec::multiply_first(lane, vec::lane_of(kFirst, 0));
    return reduce<Crc>(vec::lane_xor(product, vec::lane_swap(lane))) ^ vec::lane_second(product);
}

// a * b modulo the wide polynomial.
template <typename Crc>
inline std::uint64_t multiply_wide(std::uint64_t a, std::uint64_t b) {
    const Lane product = vec::multiply_first(vec::lane_of(a, 0), vec::lane_of(b, 0));
    const std::uint64_t first = vec::lane_first(product);
    return ((vec::lane_second(product) << 1) | (first >> 63)) ^
           reduce<Crc>(vec::lane_of(first << 1, 0));
}

template <typename Crc>
inline std::uint64_t multiply_residues(std::uint64_t a, std::uint64_t b) {
    // Of a 32-bit register, one factor is taken times x^32, and so is the product.
    return multiply_wide<Crc>(a, b << (64 - Crc::kBits));
}

// Register after fewer than 16 bytes. Pieces that overlap are moved to the end of a lane.
template <typename Crc, typename Register>
inline Register crc_short(const Slices<Register>& slices, Register state, const std::uint8_t* data,
                          std::size_t size) {
    if (size == 8) {
        return static_cast<Register>(reduce<Crc>(vec::lane_of(load64(data) ^ state, 0)));
    }
    if (size > 8) {
        const unsigned overlap = 8 * (16 - static_cast<unsigned>(size));
        const std::uint64_t wide = state;
        const std::uint64_t first = (load64(data) ^ wide) << overlap;
        // The second half also has those bytes of the register that the first one shifted out.
        const std::uint64_t beyond = wide >> (64 - overlap);
        return static_cast<Register>(
            remainder<Crc>(vec::lane_of(first, load64(data + size - 8) ^ beyond)));
    }
    if (sizeof(Register) == 4 && size >= 4) {
        const unsigned overlap = 8 * (8 - static_cast<unsigned>(size));
        const std::uint64_t wide = state;
        const std::uint64_t first = (load32(data) ^ wide) << overlap;
        const std::uint64_t last = load32(data + size - 4) ^ (wide >> (32 - overlap));
        // The bits of both are the same where they overlap.
        return static_cast<Register>(reduce<Crc>(vec::lane_of(first | last << 32, 0)));
    }
    return crc_bytes(slices, state, data, size);
}

// Index 16 + i of kMove moves byte i to the front, index 16 - i moves byte 0 to place i.
alignas(16) constexpr std::uint8_t kMove[48] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
alignas(16) constexpr std::uint8_t kKeepLast[32] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

// The lane and the `count` bytes before `end`, 0 < count < 16, in one lane. Sixteen bytes before
// `end` are read.
template <typename Crc>
inline Lane fold_tail(Lane lane, const std::uint8_t* end, std::size_t count) {
    const Lane tail =
        vec::lane_and(vec::lane_load(end - kLaneBytes), vec::lane_load(kKeepLast + count));
    const Lane front = vec::lane_shuffle(lane, vec::lane_load(kMove + count));
    const Lane back = vec::lane_shuffle(lane, vec::lane_load(kMove + kLaneBytes + count));
    return fold<Crc, 128>(front, vec::lane_xor(back, tail));
}

#if !defined(DWCP_VEC_WIDE_CLMUL)

// A lane congruent to the message of at least 16 bytes.
template <typename Crc, bool kFar = false>
inline Lane fold_message(std::uint64_t state, const std::uint8_t* data, std::size_t size) {
    Lane lane = vec::lane_xor(vec::lane_load(data), vec::lane_of(state, 0));
    data += kLaneBytes;
    size -= kLaneBytes;
    constexpr std::size_t kLanes = 8;
    if (size >= (2 * kLanes - 1) * kLaneBytes) {
        Lane lanes[kLanes] = {lane};
        for (std::size_t i = 1; i < kLanes; ++i) {
            lanes[i] = vec::lane_load(data + (i - 1) * kLaneBytes);
        }
        data += (kLanes - 1) * kLaneBytes;
        size -= (kLanes - 1) * kLaneBytes;
        for (; size >= kLanes * kLaneBytes;
             data += kLanes * kLaneBytes, size -= kLanes * kLaneBytes) {
            for (std::size_t i = 0; i < kLanes; ++i) {
                lanes[i] = fold<Crc, 8 * kLanes * kLaneBytes>(
                    lanes[i], vec::lane_load(data + i * kLaneBytes));
            }
        }
        for (std::size_t i = 0; i < 4; ++i) lanes[i + 4] = fold<Crc, 512>(lanes[i], lanes[i + 4]);
        lanes[6] = fold<Crc, 256>(lanes[4], lanes[6]);
        lanes[7] = fold<Crc, 256>(lanes[5], lanes[7]);
        lane = fold<Crc, 128>(lanes[6], lanes[7]);
    }
    if (size >= 7 * kLaneBytes) {
        Lane lanes[4] = {lane};
        for (std::size_t i = 1; i < 4; ++i) lanes[i] = vec::lane_load(data + (i - 1) * kLaneBytes);
        data += 3 * kLaneBytes;
        size -= 3 * kLaneBytes;
        for (; size >= 4 * kLaneBytes; data += 4 * kLaneBytes, size -= 4 * kLaneBytes) {
            for (std::size_t i = 0; i < 4; ++i) {
                lanes[i] = fold<Crc, 512>(lanes[i], vec::lane_load(data + i * kLaneBytes));
            }
        }
        lanes[2] = fold<Crc, 256>(lanes[0], lanes[2]);
        lanes[3] = fold<Crc, 256>(lanes[1], lanes[3]);
        lane = fold<Crc, 128>(lanes[2], lanes[3]);
    }
    for (; size >= kLaneBytes; data += kLaneBytes, size -= kLaneBytes) {
        lane = fold<Crc, 128>(lane, vec::lane_load(data));
    }
    return size == 0 ? lane : fold_tail<Crc>(lane, data + size, size);
}

#endif
