// What vectors without masks do by way of memory: included by their headers.

template <typename Lane, typename Total>
inline Total add_lanes(Vec v) {
    Lane lanes[sizeof(Vec) / sizeof(Lane)];
    __builtin_memcpy(lanes, &v, sizeof v);
    Total total = 0;
    for (const Lane lane : lanes) total += lane;
    return total;
}
inline std::uint64_t add_lanes_unsigned(Vec v) {
    return add_lanes<std::uint32_t, std::uint64_t>(v);
}
inline std::int64_t add_lanes_signed(Vec v) {
    return add_lanes<std::int32_t, std::int64_t>(v);
}

// totals[i] is the sum of the lanes of vector i.
inline void add_lanes4(Vec v0, Vec v1, Vec v2, Vec v3, std::int32_t* totals) {
    totals[0] = static_cast<std::int32_t>(add_lanes_signed(v0));
    totals[1] = static_cast<std::int32_t>(add_lanes_signed(v1));
    totals[2] = static_cast<std::int32_t>(add_lanes_signed(v2));
    totals[3] = static_cast<std::int32_t>(add_lanes_signed(v3));
}

// Up to here a plain loop takes less time than the way by memory.
constexpr std::size_t kPlainSumBytesMax = 24;

// Copies `size` bytes, fewer than `padded_bytes`, and zeros behind them.
inline void copy_padded(std::uint8_t* to, const std::uint8_t* from, std::size_t size,
                        std::size_t padded_bytes) {
    __builtin_memset(to, 0, padded_bytes);
    __builtin_memcpy(to, from, size);
}
