// CRC-32 with fewer carry-less multiplications: part of the folding is replaced by plain XORs,
// after the idea of the Chorba algorithm (arXiv 2412.16398).
//
// The sum of x^(512 d) over d = 0, 89, 117, 155 and 300 is a multiple of the polynomial
// (crc_sparse_constants.hpp). So a vector of 64 bytes at place n of a message may be struck out
// when it is added, unchanged, at the places n+300-89, n+300-117, n+300-155 and n+300. Seen from
// the receiving place, and with w for what stands there when its turn comes:
//
//     w[n] = message[n] + w[n-145] + w[n-183] + w[n-211] + w[n-300]
//
// where only struck-out places count on the right; those are kept in a ring that fits into the
// first-level cache. Multiplications leave from one port of the processor, loads and XORs from
// others: so of each period of ten vectors some are struck out and the others are folded, in the
// mix that keeps both kinds of ports busy. In the last 300 places all are folded.
//
// On Intel's processors, which start a multiplication every cycle, folding alone is faster: lines
// on their way into the first-level cache keep its load ports from the ring.

template <unsigned... values>
struct Indexes {};

constexpr unsigned kSparsePeriod = 10;
// How far before a place stand those that are added to it.
constexpr unsigned kSparseDistances[4] = {
    kSparseExponents[3] - kSparseExponents[2], kSparseExponents[3] - kSparseExponents[1],
    kSparseExponents[3] - kSparseExponents[0], kSparseExponents[3]};
static_assert((power_of_x<Crc32>(0) ^ power_of_x<Crc32>(512 * kSparseExponents[0]) ^
               power_of_x<Crc32>(512 * kSparseExponents[1]) ^
               power_of_x<Crc32>(512 * kSparseExponents[2]) ^
               power_of_x<Crc32>(512 * kSparseExponents[3])) == 0);

// The first kSparse of kPeriod places, and so on with the period, are struck out.
template <unsigned kSparse>
struct Sparse {
    static constexpr unsigned kPeriod = kSparsePeriod;
    static constexpr unsigned kTaps = 4;
    // Periods that the ring holds. What is older than the most distant tap is overwritten: a larger
    // ring would leave the first-level cache, through which the message streams.
    static constexpr unsigned kPeriods = 32;
    static constexpr unsigned kRing = kPeriods * kSparse;
    static constexpr unsigned kDrainPeriods = (kSparseDistances[3] + kPeriod - 1) / kPeriod;
    static_assert(kPeriods > kDrainPeriods);
    static_assert(kPeriod <= kSparseDistances[0], "the vectors of a period must be independent");

    // Place in its period of what tap `tap` reads for `place`, and how many periods before that is.
    static constexpr unsigned source(unsigned place, unsigned tap) {
        return (place + kPeriods * kPeriod - kSparseDistances[tap]) % kPeriod;
    }
    static constexpr unsigned periods(unsigned place, unsigned tap) {
        return (kSparseDistances[tap] + source(place, tap) - place) / kPeriod;
    }
    static constexpr unsigned periods_min(unsigned tap) { return kSparseDistances[tap] / kPeriod; }

    // Where a period stands in the ring; moves on with it.
    struct Cursor {
        const __m512i* begin;
        __m512i* at;

        Cursor(__m512i* ring, unsigned period) : begin(ring), at(ring + period * kSparse) {}
        void next() {
            at += kSparse;
            if (at == begin + kRing) at -= kRing;
        }
    };

    struct Cursors {
        Cursor now;
        // For each tap the two periods that its places may need.
        Cursor taps[kTaps][2];

        explicit Cursors(__m512i* ring)
            : now(ring, 0),
              taps{{{ring, kPeriods - periods_min(0)}, {ring, kPeriods - periods_min(0) - 1}},
                   {{ring, kPeriods - periods_min(1)}, {ring, kPeriods - periods_min(1) - 1}},
                   {{ring, kPeriods - periods_min(2)}, {ring, kPeriods - periods_min(2) - 1}},
                   {{ring, kPeriods - periods_min(3)}, {ring, kPeriods - periods_min(3) - 1}}} {}
        void next() {
            now.next();
            for (auto& tap : taps) {
                tap[0].next();
                tap[1].next();
            }
        }
    };

    // `sum` and what the tap adds to `place`: nothing where that was folded.
    template <unsigned place, unsigned tap>
    static __m512i pull(const Cursors& cursors, __m512i sum) {
        if constexpr (source(place, tap) < kSparse) {
            constexpr unsigned kSecond = periods(place, tap) - periods_min(tap);
            static_assert(kSecond < 2);
            sum = _mm512_xor_si512(sum, cursors.taps[tap][kSecond].at[source(place, tap)]);
        }
        return sum;
    }

    // One place of a period; kDrain folds them all.
    template <bool kDrain, unsigned place>
    static void step(const Cursors& cursors, const std::uint8_t* data, __m512i* folded) {
        __m512i w = vec::load(data + 64 * place);
        w = pull<place, 0>(cursors, w);
        w = pull<place, 1>(cursors, w);
        w = pull<place, 2>(cursors, w);
        w = pull<place, 3>(cursors, w);
        if constexpr (place < kSparse && !kDrain) {
            cursors.now.at[place] = w;
        } else {
            folded[place] = fold<Crc32, 512 * kPeriod>(folded[place], w);
            if constexpr (place < kSparse) cursors.now.at[place] = _mm512_setzero_si512();
        }
    }

    template <bool kDrain, unsigned... places>
    static const std::uint8_t* run_to(Indexes<places...>, Cursors& cursors,
                                      const std::uint8_t* data, const std::uint8_t* end,
                                      __m512i* folded) {
        for (; data != end; data += 64 * kPeriod) {
            (step<kDrain, places>(cursors, data, folded), ...);
            cursors.next();
        }
        return data;
    }

    template <unsigned... places>
    static Lane finish(Indexes<places...>, const __m512i* folded) {
        __m512i sum = _mm512_setzero_si512();
        ((sum = to_end<Crc32, kPeriod - 1 - places>(folded[places], sum)), ...);
        return add_lanes(sum);
    }

    // size is a multiple of the period, and at least kDrainPeriods of them.
    static std::uint32_t run(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
        using Places = Indexes<0, 1, 2, 3, 4, 5, 6, 7, 8, 9>;
        __m512i ring[kRing];
        for (__m512i& vector : ring) vector = _mm512_setzero_si512();
        // Place 0 receives what stands 300 before it, and nothing else does: the register.
        static_assert(source(0, 3) < kSparse);
        ring[(kPeriods - periods(0, 3)) * kSparse + source(0, 3)] =
            _mm512_zextsi128_si512(vec::lane_of(state, 0));
        Cursors cursors(ring);
        __m512i folded[kPeriod];
        for (__m512i& lanes : folded) lanes = _mm512_setzero_si512();
        const std::uint8_t* const end = data + size;
        data = run_to<false>(Places{}, cursors, data, end - kDrainPeriods * 64 * kPeriod, folded);
        run_to<true>(Places{}, cursors, data, end, folded);
        return static_cast<std::uint32_t>(remainder<Crc32>(finish(Places{}, folded)));
    }
};

constexpr std::size_t kSparseStepBytes = 64 * kSparsePeriod;
// Below, folding everything in the last 300 places costs more than the XORs before them save.
constexpr std::size_t kSparseBytesMin = std::size_t{96} << 10;

// Six of ten: the mix for processors on which a multiplication leaves every other cycle.
inline std::uint32_t crc32_sparse(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    return Sparse<6>::run(state, data, size);
}
