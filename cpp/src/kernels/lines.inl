// Where lines of the cache begin.

// Messages of this size come from beyond the first-level cache; there a load that straddles two
// lines costs more than a prologue does.
constexpr std::size_t kAlignedBytesMin = std::size_t{32} << 10;

// How far ahead loops ask for lines. It gains a tenth and more beyond the first-level cache and
// costs next to nothing in it, where loads are not what a loop waits for.
constexpr std::size_t kPrefetchBytes = 2048;

inline std::size_t bytes_to_line(const std::uint8_t* p) {
    return (0 - reinterpret_cast<std::uintptr_t>(p)) % kLineBytes;
}
