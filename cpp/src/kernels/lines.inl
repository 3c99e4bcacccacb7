// Where lines of the cache begin.

// Messages of this size come from beyond the first-level cache; there a load that straddles two
// lines costs more than a prologue does.
constexpr std::size_t kAlignedBytesMin = std::size_t{32} << 10;

inline std::size_t bytes_to_line(const std::uint8_t* p) {
    return (0 - reinterpret_cast<std::uintptr_t>(p)) % kLineBytes;
}
