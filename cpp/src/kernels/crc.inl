// CRC-64/NVME and CRC-32C: slicing by 8 everywhere, folding by carry-less multiplication where the
// processor has it (V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
// Instruction", Intel 2009). The derivation of the constants is in crc_constants.hpp.

inline std::uint64_t load64(const std::uint8_t* p) {
    std::uint64_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return word;
}

template <typename Register>
inline Register crc_bytes(const Slices<Register>& slices, Register state, const std::uint8_t* data,
                          std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        const auto index = static_cast<std::uint8_t>(state ^ data[i]);
        state = static_cast<Register>((state >> 8) ^ slices.tables[0][index]);
    }
    return state;
}

template <typename Register>
inline Register crc_sliced(const Slices<Register>& slices, Register state, const std::uint8_t* data,
                           std::size_t size) {
    while (size >= 8) {
        const std::uint64_t word = load64(data) ^ state;
        Register next = 0;
        for (unsigned k = 0; k < 8; ++k) {
            next = static_cast<Register>(next ^ slices.tables[7 - k][(word >> (8 * k)) & 0xFF]);
        }
        state = next;
        data += 8;
        size -= 8;
    }
    return crc_bytes(slices, state, data, size);
}

// Horner's rule from the highest coefficient of a, which is bit 0.
template <typename Crc>
inline std::uint64_t multiply_by_bits(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product = 0;
    for (unsigned i = 0; i < Crc::kBits; ++i) {
        product = times_x<Crc>(product) ^ (((a >> i) & 1) != 0 ? b : 0);
    }
    return product;
}

std::uint32_t crc32(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return crc_sliced(crc32_slices, state, data, size);
}

std::uint32_t crc32_multiply(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint32_t>(multiply_by_bits<Crc32>(a, b));
}

std::uint32_t crc32c_multiply(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint32_t>(multiply_by_bits<Crc32C>(a, b));
}

#if defined(__PCLMUL__)

inline __m128i load128(const std::uint8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

inline __m128i constant(std::uint64_t first, std::uint64_t second) {
    return _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first));
}

inline std::uint64_t low64(__m128i v) {
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(v));
}
inline std::uint64_t high64(__m128i v) {
    return low64(_mm_unpackhi_epi64(v, v));
}

inline __m128i multiply(std::uint64_t a, std::uint64_t b) {
    return _mm_clmulepi64_si128(constant(a, 0), constant(b, 0), 0x00);
}

// lane * x^bits + data
template <typename Crc, unsigned bits>
inline __m128i fold(__m128i lane, __m128i data) {
    const __m128i k = constant(Fold<Crc, bits>::kFirst, Fold<Crc, bits>::kSecond);
    const __m128i first = _mm_clmulepi64_si128(lane, k, 0x00);
    const __m128i second = _mm_clmulepi64_si128(lane, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), data);
}

#if defined(__VPCLMULQDQ__)
template <typename Crc, unsigned bits>
inline __m512i fold(__m512i lanes, __m512i data) {
    const __m512i k =
        _mm512_broadcast_i32x4(constant(Fold<Crc, bits>::kFirst, Fold<Crc, bits>::kSecond));
    const __m512i first = _mm512_clmulepi64_epi128(lanes, k, 0x00);
    const __m512i second = _mm512_clmulepi64_epi128(lanes, k, 0x11);
    return _mm512_ternarylogic_epi64(first, second, data, 0x96);
}
#endif

// Folds a multiple of 16 bytes, at least 64, into 16 bytes that have the same remainder.
template <typename Crc>
inline __m128i fold_all(std::uint64_t state, const std::uint8_t* data, std::size_t size) {
    __m128i lane;
#if defined(__VPCLMULQDQ__)
    __m512i z0 = _mm512_xor_si512(vec::load(data), _mm512_zextsi128_si512(constant(state, 0)));
    data += 64;
    size -= 64;
    if (size >= 192) {
        __m512i z1 = vec::load(data);
        __m512i z2 = vec::load(data + 64);
        __m512i z3 = vec::load(data + 128);
        data += 192;
        size -= 192;
        for (; size >= 256; data += 256, size -= 256) {
            z0 = fold<Crc, 2048>(z0, vec::load(data));
            z1 = fold<Crc, 2048>(z1, vec::load(data + 64));
            z2 = fold<Crc, 2048>(z2, vec::load(data + 128));
            z3 = fold<Crc, 2048>(z3, vec::load(data + 192));
        }
        z1 = fold<Crc, 512>(z0, z1);
        z2 = fold<Crc, 512>(z1, z2);
        z0 = fold<Crc, 512>(z2, z3);
    }
    for (; size >= 64; data += 64, size -= 64) z0 = fold<Crc, 512>(z0, vec::load(data));
    // The four lanes of a register side by side: each folds onto the last.
    lane = _mm512_extracti32x4_epi32(z0, 3);
    lane = fold<Crc, 128>(_mm512_extracti32x4_epi32(z0, 2), lane);
    lane = fold<Crc, 256>(_mm512_extracti32x4_epi32(z0, 1), lane);
    lane = fold<Crc, 384>(_mm512_castsi512_si128(z0), lane);
#else
    __m128i x0 = _mm_xor_si128(load128(data), constant(state, 0));
    __m128i x1 = load128(data + 16);
    __m128i x2 = load128(data + 32);
    __m128i x3 = load128(data + 48);
    data += 64;
    size -= 64;
    for (; size >= 64; data += 64, size -= 64) {
        x0 = fold<Crc, 512>(x0, load128(data));
        x1 = fold<Crc, 512>(x1, load128(data + 16));
        x2 = fold<Crc, 512>(x2, load128(data + 32));
        x3 = fold<Crc, 512>(x3, load128(data + 48));
    }
    lane = fold<Crc, 128>(x2, x3);
    lane = fold<Crc, 256>(x1, lane);
    lane = fold<Crc, 384>(x0, lane);
#endif
    for (; size >= 16; data += 16, size -= 16) lane = fold<Crc, 128>(lane, load128(data));
    return lane;
}

// residue * x^64 mod P by Barrett reduction: the quotient is residue + floor(residue * m / x^64),
// and the low half of quotient * p is what remains.
inline std::uint64_t crc64nvme_reduce(std::uint64_t residue) {
    constexpr std::uint64_t kQuotient = barrett_quotient<Crc64Nvme>();
    const std::uint64_t quotient = residue ^ (low64(multiply(residue, kQuotient)) << 1);
    const __m128i product = multiply(quotient, Crc64Nvme::kPoly);
    return (high64(product) << 1) | (low64(product) >> 63);
}

std::uint64_t crc64nvme_multiply(std::uint64_t a, std::uint64_t b) {
    const __m128i product = multiply(a, b);
    const std::uint64_t low = low64(product);
    return ((high64(product) << 1) | (low >> 63)) ^ crc64nvme_reduce(low << 1);
}

std::uint64_t crc64nvme(std::uint64_t state, const std::uint8_t* data, std::size_t size) {
    if (size >= 64) {
        const std::size_t folded = size & ~std::size_t{15};
        const __m128i lane = fold_all<Crc64Nvme>(state, data, folded);
        state = crc64nvme_reduce(high64(lane) ^ crc64nvme_reduce(low64(lane)));
        data += folded;
        size -= folded;
        return crc_bytes(crc64nvme_slices, state, data, size);
    }
    return crc_sliced(crc64nvme_slices, state, data, size);
}

std::uint32_t crc32c(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    std::uint64_t wide = state;
    if (size >= 256) {
        const std::size_t folded = size & ~std::size_t{15};
        const __m128i lane = fold_all<Crc32C>(state, data, folded);
        wide = _mm_crc32_u64(_mm_crc32_u64(0, low64(lane)), high64(lane));
        data += folded;
        size -= folded;
    }
    for (; size >= 8; data += 8, size -= 8) wide = _mm_crc32_u64(wide, load64(data));
    state = static_cast<std::uint32_t>(wide);
    for (; size > 0; ++data, --size) state = _mm_crc32_u8(state, *data);
    return state;
}

#else

std::uint64_t crc64nvme_multiply(std::uint64_t a, std::uint64_t b) {
    return multiply_by_bits<Crc64Nvme>(a, b);
}

std::uint64_t crc64nvme(std::uint64_t state, const std::uint8_t* data, std::size_t size) {
    return crc_sliced(crc64nvme_slices, state, data, size);
}

std::uint32_t crc32c(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return crc_sliced(crc32c_slices, state, data, size);
}

#endif
