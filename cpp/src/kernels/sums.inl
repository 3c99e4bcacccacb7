// Adler-32 (RFC 1950) and Fletcher-32 (J. Fletcher, "An Arithmetic Checksum for Serial
// Transmissions", 1982): the sum a of all elements, and the sum b of all values that a takes.
// For m elements d[0] .. d[m-1] added to a and b,
//
//     b += a * m + sum of (m - k) d[k]        a += sum of d[k]
//
// so both come from two plain sums, which vector instructions for dot products take.

struct BytesMod65521 {
    using Element = std::uint8_t;
    static constexpr std::uint32_t kModulus = 65521;
};
struct WordsMod65535 {
    using Element = std::uint16_t;
    static constexpr std::uint32_t kModulus = 65535;
};

// Of some elements: their sum, and the sum with weights that end with 1.
struct WeightedSum {
    std::uint64_t sum;
    std::uint64_t weighted;
};

template <typename Kind>
inline std::uint32_t advance(std::uint32_t state, WeightedSum added, std::uint64_t count) {
    const std::uint64_t a = state & 0xFFFF;
    const std::uint64_t b = (state >> 16) + a * count + added.weighted;
    return static_cast<std::uint32_t>(b % Kind::kModulus << 16 | (a + added.sum) % Kind::kModulus);
}

// As many bytes or words as keep b below 2^32.
template <typename Kind>
constexpr std::size_t kBlock = sizeof(typename Kind::Element) == 1 ? 5552 : 359;

template <typename Kind>
inline std::uint32_t sum_plain(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    using Element = typename Kind::Element;
    std::uint32_t a = state & 0xFFFF;
    std::uint32_t b = state >> 16;
    for (;;) {
        std::size_t count = size / sizeof(Element);
        const bool last = count <= kBlock<Kind>;
        if (!last) count = kBlock<Kind>;
        for (std::size_t i = 0; i < count; ++i) {
            Element element;
            __builtin_memcpy(&element, data + i * sizeof(Element), sizeof(Element));
            a += element;
            b += a;
        }
        a %= Kind::kModulus;
        b %= Kind::kModulus;
        data += count * sizeof(Element);
        size -= count * sizeof(Element);
        if (last) break;
    }
    return size == 0 ? b << 16 | a : advance<Kind>(b << 16 | a, {*data, *data}, 1);
}

#if defined(DWCP_VEC_SUMS)

// A group is as many vectors as have different weights, `elements - 1` .. 0. The sum without
// weights then raises each weight by one, which keeps those of 128 bytes within 7 bits.
template <typename Kind>
struct Group;

template <>
struct Group<BytesMod65521> {
    static constexpr std::size_t kElements = vec::kSumBytes;
    // Sums of sums of lanes, of kStreams groups, stay below 2^32: a lane takes at most 32 bytes of
    // a group.
    static constexpr std::size_t kRoundsMax = 512;
    static_assert(4 * 32 * 255 * (kRoundsMax * (kRoundsMax - 1) / 2) < std::uint64_t{1} << 32);

    static vec::Vec load(const std::uint8_t* p) { return vec::load(p); }
    static vec::Vec sum(vec::Vec total, vec::Vec v) { return vec::sum_bytes(total, v); }
    static vec::Vec dot(vec::Vec total, vec::Vec v, vec::Vec weights) {
        return vec::dot_bytes(total, v, weights);
    }
    static std::uint64_t add_lanes(vec::Vec v) { return vec::add_lanes_unsigned(v); }
    static WeightedSum unbias(WeightedSum sums, std::uint64_t) { return sums; }
};

template <>
struct Group<WordsMod65535> {
    static constexpr std::size_t kElements = 2 * sizeof(vec::Vec) / 2;
    // The same below 2^31, for lanes that take two words of each vector; the sums with weights of
    // up to 63 and 62, 31 and 30 are the greater ones.
    static constexpr std::size_t kRoundsMax = 80;
    static_assert(4 * 4 * 32768 * (kRoundsMax * (kRoundsMax - 1) / 2) < std::uint64_t{1} << 31);
    static_assert(4 * (63 + 62 + 31 + 30) * 32768 * kRoundsMax < std::uint64_t{1} << 31);
    static constexpr std::uint64_t kBias = 0x8000;

    // Products are of signed words: with the top bit flipped, a word stands for 32768 less.
    static vec::Vec load(const std::uint8_t* p) {
        return vec::bit_xor(vec::load(p), vec::fill_words(kBias));
    }
    static vec::Vec sum(vec::Vec total, vec::Vec v) {
        return vec::dot_words(total, v, vec::fill_words(1));
    }
    static vec::Vec dot(vec::Vec total, vec::Vec v, vec::Vec weights) {
        return vec::dot_words(total, v, weights);
    }
    static std::uint64_t add_lanes(vec::Vec v) {
        return static_cast<std::uint64_t>(vec::add_lanes_signed(v));
    }
    static WeightedSum unbias(WeightedSum sums, std::uint64_t count) {
        return {sums.sum + kBias * count, sums.weighted + kBias * (count * (count + 1) / 2)};
    }
};

template <typename Element, std::size_t count>
struct Weights {
    struct Table {
        alignas(64) Element values[count];
    };
    static constexpr Table make() {
        Table table{};
        for (std::size_t i = 0; i < count; ++i) {
            table.values[i] = static_cast<Element>(count - 1 - i);
        }
        return table;
    }
    static constexpr Table kTable = make();
    static vec::Vec load(std::size_t vector) {
        return vec::load(reinterpret_cast<const std::uint8_t*>(kTable.values) +
                         vector * sizeof(vec::Vec));
    }
};

// 1,024 words of 15 bits and a sign, with weights of 32 at the mean, stay within 32 bits.
constexpr std::size_t kShortRoundsMax = 4;

// `rounds` rounds, kFar when they come from beyond the first-level cache, of kStreams groups each,
// one after the other in memory. Each stream has totals of its own, so that no instruction waits
// for the one before.
template <typename Kind, std::size_t kStreams, bool kFar = false>
inline WeightedSum sum_groups(const std::uint8_t* data, std::size_t rounds) {
    using G = Group<Kind>;
    using W = Weights<typename Kind::Element, G::kElements>;
    constexpr std::size_t kGroupBytes = G::kElements * sizeof(typename Kind::Element);
    constexpr std::size_t kVectors = kGroupBytes / sizeof(vec::Vec);
    vec::Vec weights[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) weights[v] = W::load(v);
    // Of each stream: sums, weighted sums, and the sums of what the sums were before each round.
    vec::Vec sums[kStreams];
    vec::Vec weighted[kStreams];
    vec::Vec before[kStreams];
    for (std::size_t s = 0; s < kStreams; ++s) sums[s] = weighted[s] = before[s] = vec::zero();
    for (std::size_t round = 0; round < rounds; ++round, data += kStreams * kGroupBytes) {
        for (std::size_t s = 0; s < kStreams; ++s) {
            before[s] = vec::add32(before[s], sums[s]);
            for (std::size_t v = 0; v < kVectors; ++v) {
                const std::uint8_t* const at = data + s * kGroupBytes + v * sizeof(vec::Vec);
                if constexpr (kFar) __builtin_prefetch(at + kPrefetchBytes);
                const vec::Vec value = G::load(at);
                sums[s] = G::sum(sums[s], value);
                weighted[s] = G::dot(weighted[s], value, weights[v]);
            }
        }
    }
    // Stream s is followed by kStreams - 1 - s others in its round.
    vec::Vec sum = sums[0];
    vec::Vec followed = vec::zero();
    vec::Vec rest = weighted[0];
    vec::Vec rounds_before = before[0];
    for (std::size_t s = 1; s < kStreams; ++s) {
        followed = vec::add32(followed, sum);
        sum = vec::add32(sum, sums[s]);
        rest = vec::add32(rest, weighted[s]);
        rounds_before = vec::add32(rounds_before, before[s]);
    }
    std::uint64_t total;
    std::uint64_t all;
    if (rounds <= kShortRoundsMax) {
        // Short messages: totals fit into lanes, which are added for all four at once.
        std::int32_t totals[4];
        vec::add_lanes4(sum, rest, rounds_before, followed, totals);
        total = static_cast<std::uint64_t>(totals[0]);
        all = static_cast<std::uint64_t>(totals[1]) + total +
              G::kElements * (kStreams * static_cast<std::uint64_t>(totals[2]) +
                              static_cast<std::uint64_t>(totals[3]));
    } else {
        total = G::add_lanes(sum);
        all = G::add_lanes(rest) + total +
              G::kElements * (kStreams * G::add_lanes(rounds_before) + G::add_lanes(followed));
    }
    return G::unbias({total, all}, rounds * kStreams * G::kElements);
}

// One group, of which only the first `size` bytes are there.
template <typename Kind>
inline WeightedSum sum_part(const std::uint8_t* data, std::size_t size) {
    using G = Group<Kind>;
    constexpr std::size_t kElementBytes = sizeof(typename Kind::Element);
    constexpr std::size_t kGroupBytes = G::kElements * kElementBytes;
    alignas(64) std::uint8_t padded[kGroupBytes];
    vec::copy_padded(padded, data, size, kGroupBytes);
    WeightedSum sums = sum_groups<Kind, 1>(padded, 1);
    // The zeros that fill the group have raised all weights.
    sums.weighted -= (G::kElements - (size + kElementBytes - 1) / kElementBytes) * sums.sum;
    return sums;
}

template <typename Kind>
inline std::uint32_t sum_all(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    using G = Group<Kind>;
    constexpr std::size_t kElementBytes = sizeof(typename Kind::Element);
    constexpr std::size_t kGroupBytes = G::kElements * kElementBytes;
    constexpr std::size_t kStreams = 4;
    const bool far = size >= kAlignedBytesMin;
    if (const std::size_t head = bytes_to_line(data); far && head % kElementBytes == 0) {
        state = sum_all<Kind>(state, data, head);
        data += head;
        size -= head;
    }
    while (size >= kStreams * kGroupBytes) {
        const std::size_t whole = size / (kStreams * kGroupBytes);
        const std::size_t rounds = whole < G::kRoundsMax ? whole : G::kRoundsMax;
        const std::size_t bytes = rounds * kStreams * kGroupBytes;
        const WeightedSum sums = far ? sum_groups<Kind, kStreams, true>(data, rounds)
                                     : sum_groups<Kind, kStreams>(data, rounds);
        state = advance<Kind>(state, sums, bytes / kElementBytes);
        data += bytes;
        size -= bytes;
        if (size == 0) return state;
    }
    if (size >= kGroupBytes) {
        const std::size_t rounds = size / kGroupBytes;
        const std::size_t bytes = rounds * kGroupBytes;
        state = advance<Kind>(state, sum_groups<Kind, 1>(data, rounds), bytes / kElementBytes);
        data += bytes;
        size -= bytes;
        if (size == 0) return state;
    }
    if (size <= vec::kPlainSumBytesMax) return sum_plain<Kind>(state, data, size);
    return advance<Kind>(state, sum_part<Kind>(data, size),
                         (size + kElementBytes - 1) / kElementBytes);
}

#else

template <typename Kind>
inline std::uint32_t sum_all(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return sum_plain<Kind>(state, data, size);
}

#endif

std::uint32_t adler32(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return sum_all<BytesMod65521>(state, data, size);
}

std::uint32_t fletcher32(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return sum_all<WordsMod65535>(state, data, size);
}
