// The fused scan: compare, pack the XOR of changed lines, bring the previous copy up to date.

inline unsigned trailing_zeros(std::uint64_t mask) {
    return static_cast<unsigned>(__builtin_ctzll(mask));
}

// Far enough ahead to hide memory latency behind one page of work, near enough to stay in L1.
constexpr std::size_t kPrefetchBytes = 2 * kPageBytes;

// One bit for each of `lines` (at most 64) lines that differ.
template <bool kPrefetch>
inline std::uint64_t page_mask(const std::uint8_t* current, const std::uint8_t* previous,
                               std::size_t lines) {
    std::uint64_t mask = 0;
    for (std::size_t i = 0; i < lines; ++i) {
        const std::size_t at = i * kLineBytes;
        if constexpr (kPrefetch) {
            __builtin_prefetch(current + at + kPrefetchBytes);
            __builtin_prefetch(previous + at + kPrefetchBytes);
        }
        mask |= static_cast<std::uint64_t>(vec::line_differs(current + at, previous + at)) << i;
    }
    return mask;
}

template <bool kUpdate, typename Previous>
inline std::size_t scan_lines(const std::uint8_t* current, Previous* previous, std::size_t lines,
                              std::uint64_t* masks, std::uint8_t* packed) {
    std::uint8_t* out = packed;
    for (std::size_t first = 0; first < lines; first += kPageLines) {
        const std::uint8_t* const now = current + first * kLineBytes;
        Previous* const then = previous + first * kLineBytes;
        const std::size_t count = lines - first < kPageLines ? lines - first : kPageLines;
        // A constant trip count lets the compiler unroll the page; prefetching stops where it
        // would run past the buffers.
        std::uint64_t mask;
        if (lines - first >= kPageLines + kPrefetchBytes / kLineBytes) {
            mask = page_mask<true>(now, then, kPageLines);
        } else {
            mask = page_mask<false>(now, then, count);
        }
        masks[first / kPageLines] = mask;
        // Walking the set bits of a page's mask mispredicts once a page, not once a changed line.
        for (std::uint64_t rest = mask; rest != 0; rest &= rest - 1) {
            const std::size_t at = trailing_zeros(rest) * kLineBytes;
            for (std::size_t j = 0; j < kLineBytes; j += sizeof(vec::Vec)) {
                const vec::Vec value = vec::load(now + at + j);
                vec::store(out + j, vec::bit_xor(value, vec::load(then + at + j)));
                if constexpr (kUpdate) vec::store(then + at + j, value);
            }
            out += kLineBytes;
        }
    }
    return static_cast<std::size_t>(out - packed) / kLineBytes;
}

std::size_t scan(const std::uint8_t* current, const std::uint8_t* previous, std::size_t lines,
                 std::uint64_t* masks, std::uint8_t* packed) {
    return scan_lines<false>(current, previous, lines, masks, packed);
}

std::size_t scan_update(const std::uint8_t* current, std::uint8_t* previous, std::size_t lines,
                        std::uint64_t* masks, std::uint8_t* packed) {
    return scan_lines<true>(current, previous, lines, masks, packed);
}

void nonzero_masks(const std::uint8_t* packed, std::size_t lines, std::uint64_t* masks) {
    for (std::size_t i = 0; i < lines; ++i) masks[i] = vec::nonzero_mask(packed + i * kLineBytes);
}
