// CRC-32 (IEEE 802.3), CRC-32C (RFC 3720) and CRC-64/NVME: which way is taken for which length.

#if defined(DWCP_VEC_CLMUL)

template <typename Crc, bool kFar = false, typename Register>
inline Register crc_folded(const Slices<Register>& slices, Register state, const std::uint8_t* data,
                           std::size_t size) {
    if (size < kLaneBytes) return crc_short<Crc>(slices, state, data, size);
#if defined(DWCP_VEC_WIDE_CLMUL)
    // The register must fit into the bytes in front of whole vectors.
    const std::size_t head = size % 64;
    if (head < sizeof(Register)) {
        state = crc_bytes(slices, state, data, head);
        data += head;
        size -= head;
    }
#endif
    return static_cast<Register>(remainder<Crc>(fold_message<Crc, kFar>(state, data, size)));
}

// The same in three parts, of which the second is whole lines: loads that straddle two lines cost a
// third of the speed where the message comes from beyond the first-level cache.
template <typename Crc, typename Register>
inline Register crc_aligned(const Slices<Register>& slices, Register state,
                            const std::uint8_t* data, std::size_t size) {
    if (size >= kAlignedBytesMin) {
        const std::size_t head = bytes_to_line(data);
        state = crc_folded<Crc>(slices, state, data, head);
        data += head;
        size -= head;
        const std::size_t body = size & ~(kLineBytes - 1);
        state = crc_folded<Crc, true>(slices, state, data, body);
        data += body;
        size -= body;
    }
    return crc_folded<Crc>(slices, state, data, size);
}

std::uint64_t crc64nvme(std::uint64_t state, const std::uint8_t* data, std::size_t size) {
    return crc_aligned<Crc64Nvme>(crc64nvme_slices, state, data, size);
}

std::uint32_t crc32_slow_multiply(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
#if defined(DWCP_VEC_WIDE_CLMUL)
    if (size >= kSparseBytesMin) {
        const std::size_t head = bytes_to_line(data);
        state = crc_folded<Crc32>(crc32_slices, state, data, head);
        data += head;
        size -= head;
        const std::size_t done = size - size % kSparseStepBytes;
        state = crc32_sparse(state, data, done);
        data += done;
        size -= done;
    }
#endif
    return crc_folded<Crc32>(crc32_slices, state, data, size);
}

std::uint32_t crc32(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
#if defined(DWCP_VEC_WIDE_CLMUL)
    if (size >= kSparseBytesMin && vec::wide_clmul_is_slow()) {
        return crc32_slow_multiply(state, data, size);
    }
#endif
    return crc_aligned<Crc32>(crc32_slices, state, data, size);
}

// From here on the time to get folding going is less than what the crc32 instruction takes.
constexpr std::size_t kCrc32cFoldBytesMin = 64;

template <std::size_t kWords>
inline std::uint32_t crc32c_with(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    if (size >= kAlignedBytesMin) {
        const std::size_t head = bytes_to_line(data);
        state = crc32c_with<kWords>(state, data, head);
        data += head;
        size -= head;
    }
    while (const std::size_t done = crc32c_fused<kWords>(&state, data, size)) {
        data += done;
        size -= done;
    }
    if (size >= kCrc32cFoldBytesMin) {
        const std::size_t folded = size & ~std::size_t{63};
        const Lane lane = fold_message<Crc32C>(state, data, folded);
        state = static_cast<std::uint32_t>(
            vec::crc32c_word(vec::crc32c_word(0, vec::lane_first(lane)), vec::lane_second(lane)));
        data += folded;
        size -= folded;
    }
    std::uint64_t wide = state;
    for (; size >= 8; data += 8, size -= 8) wide = vec::crc32c_word(wide, load64(data));
    state = static_cast<std::uint32_t>(wide);
    for (; size > 0; ++data, --size) state = vec::crc32c_byte(state, *data);
    return state;
}

std::uint32_t crc32c_slow_multiply(std::uint32_t state, const std::uint8_t* data,
                                   std::size_t size) {
    return crc32c_with<5>(state, data, size);
}

std::uint32_t crc32c(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
#if defined(DWCP_VEC_WIDE_CLMUL)
    // As many words a round as the multiplications leave time for.
    if (!vec::wide_clmul_is_slow()) return crc32c_with<3>(state, data, size);
#endif
    return crc32c_slow_multiply(state, data, size);
}

std::uint32_t crc32_multiply(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint32_t>(multiply_residues<Crc32>(a, b));
}

std::uint32_t crc32c_multiply(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint32_t>(multiply_residues<Crc32C>(a, b));
}

std::uint64_t crc64nvme_multiply(std::uint64_t a, std::uint64_t b) {
    return multiply_residues<Crc64Nvme>(a, b);
}

#else

std::uint32_t crc32(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return crc_sliced(crc32_slices, state, data, size);
}

std::uint64_t crc64nvme(std::uint64_t state, const std::uint8_t* data, std::size_t size) {
    return crc_sliced(crc64nvme_slices, state, data, size);
}

std::uint32_t crc32c(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return crc_sliced(crc32c_slices, state, data, size);
}

std::uint32_t crc32_slow_multiply(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return crc32(state, data, size);
}

std::uint32_t crc32c_slow_multiply(std::uint32_t state, const std::uint8_t* data,
                                   std::size_t size) {
    return crc32c(state, data, size);
}

std::uint32_t crc32_multiply(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint32_t>(multiply_by_bits<Crc32>(a, b));
}

std::uint32_t crc32c_multiply(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint32_t>(multiply_by_bits<Crc32C>(a, b));
}

std::uint64_t crc64nvme_multiply(std::uint64_t a, std::uint64_t b) {
    return multiply_by_bits<Crc64Nvme>(a, b);
}

#endif
