// The fused scan: compare, pack the XOR of changed lines, bring the previous copy up to date.

inline unsigned trailing_zeros(std::uint64_t mask) {
    return static_cast<unsigned>(__builtin_ctzll(mask));
}

// Hardware prefetchers stop at the end of a page. Asking for the first lines of the next page while
// this one is compared gets them going again; more than this many only costs instructions.
constexpr std::size_t kPrefetchLines = 16;
constexpr std::size_t kGroupLines = 8;

// One bit for each of the 64 lines of a page that differ.
inline std::uint64_t page_mask(const std::uint8_t* current, const std::uint8_t* previous) {
    std::uint64_t mask = 0;
    for (std::size_t group = 0; group < kPageLines; group += kGroupLines) {
        // Most lines are equal: one test for several of them, so that more loads are in flight.
        vec::Vec differences[kGroupLines];
        vec::Vec any{};
        for (std::size_t i = 0; i < kGroupLines; ++i) {
            const std::size_t at = (group + i) * kLineBytes;
            differences[i] = vec::line_difference(current + at, previous + at);
            any = vec::bit_or(any, differences[i]);
        }
        if (__builtin_expect(vec::is_zero(any), 1)) continue;
        for (std::size_t i = 0; i < kGroupLines; ++i) {
            mask |= static_cast<std::uint64_t>(!vec::is_zero(differences[i])) << (group + i);
        }
    }
    return mask;
}

inline std::uint64_t partial_page_mask(const std::uint8_t* current, const std::uint8_t* previous,
                                       std::size_t lines) {
    std::uint64_t mask = 0;
    for (std::size_t i = 0; i < lines; ++i) {
        const std::size_t at = i * kLineBytes;
        const vec::Vec difference = vec::line_difference(current + at, previous + at);
        mask |= static_cast<std::uint64_t>(!vec::is_zero(difference)) << i;
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
        if (lines - first >= kPageLines + kPrefetchLines) {
            for (std::size_t i = 0; i < kPrefetchLines; ++i) {
                __builtin_prefetch(now + kPageBytes + i * kLineBytes, 0, 2);
                __builtin_prefetch(then + kPageBytes + i * kLineBytes, 0, 2);
            }
        }
        const std::uint64_t mask =
            count == kPageLines ? page_mask(now, then) : partial_page_mask(now, then, count);
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
