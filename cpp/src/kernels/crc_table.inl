// CRCs by tables: slicing by 8 (M. Kounavis, F. Berry, "A Systematic Approach to Building High
// Performance Software-based CRC Generators", 2005).

inline std::uint64_t load64(const std::uint8_t* p) {
    std::uint64_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return word;
}

inline std::uint32_t load32(const std::uint8_t* p) {
    std::uint32_t word;
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
