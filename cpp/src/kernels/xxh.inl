// xxHash (Y. Collet, "xxHash fast digest algorithm"), from the header of libxxhash, which tier.cpp
// includes with XXH_INLINE_ALL.
//
// Only the loop of XXH3 over messages beyond 240 bytes is written here, for vectors: the library's
// swaps the halves of all data before it adds them, and gcc keeps its accumulators in memory. Sums
// of swapped halves are swapped sums: here they are swapped once in 16 lines.

#if defined(DWCP_VEC_XXH3)

constexpr std::size_t kXxh3LongBytesMin = 241;
constexpr std::size_t kStripeBytes = 64;
constexpr std::size_t kStripes = 16;
constexpr std::size_t kXxhBlockBytes = kStripes * kStripeBytes;
constexpr std::size_t kSecretBytes = 192;
// Stripes lie as the caller's data does, mostly across two lines, so that loads are what this loop
// waits for, and asking for lines ahead pays later than elsewhere.
constexpr std::size_t kXxhFarBytesMin = std::size_t{2} << 20;
constexpr std::size_t kXxhVectors = kStripeBytes / sizeof(vec::Vec);

struct XxhKey {
    vec::Vec vectors[kXxhVectors];

    explicit XxhKey(const std::uint8_t* secret) {
        for (std::size_t i = 0; i < kXxhVectors; ++i) {
            vectors[i] = vec::load(secret + i * sizeof(vec::Vec));
        }
    }
};

struct Xxh3Accumulators {
    vec::Vec products[kXxhVectors];
    // Sums of the data, to be added with the halves of each pair of 64-bit lanes swapped.
    vec::Vec data[kXxhVectors];

    template <bool kFar = false>
    void add(const std::uint8_t* stripe, const XxhKey& key) {
        for (std::size_t i = 0; i < kXxhVectors; ++i) {
            if constexpr (kFar) __builtin_prefetch(stripe + kPrefetchBytes + i * sizeof(vec::Vec));
            add_vector(i, vec::load(stripe + i * sizeof(vec::Vec)), key);
        }
    }

    void add_vector(std::size_t i, vec::Vec value, const XxhKey& key) {
        const vec::Vec keyed = vec::bit_xor(value, key.vectors[i]);
        products[i] =
            vec::add64(products[i], vec::multiply_low32(keyed, vec::shift_right32(keyed)));
        data[i] = vec::add64(data[i], value);
    }

    // Stripes of `blocks` blocks, kFar when they come from beyond the second-level cache.
    template <bool kFar>
    void add_blocks(const std::uint8_t* stripe, std::size_t blocks, const XxhKey* keys,
                    const XxhKey& last_key) {
        for (; blocks > 0; --blocks) {
            for (std::size_t i = 0; i < kStripes; ++i, stripe += kStripeBytes) {
                add<kFar>(stripe, keys[i]);
            }
            scramble(last_key);
        }
    }

    void join() {
        for (std::size_t i = 0; i < kXxhVectors; ++i) {
            products[i] = vec::add64(products[i], vec::swap64(data[i]));
            data[i] = vec::zero();
        }
    }

    void scramble(const XxhKey& key) {
        join();
        const vec::Vec prime = vec::fill64(XXH_PRIME32_1);
        for (std::size_t i = 0; i < kXxhVectors; ++i) {
            const vec::Vec keyed = vec::bit_xor(
                vec::bit_xor(products[i], vec::shift_right47(products[i])), key.vectors[i]);
            products[i] = vec::add64(
                vec::multiply_low32(keyed, prime),
                vec::shift_left32(vec::multiply_low32(vec::shift_right32(keyed), prime)));
        }
    }
};

// The eight accumulators after a message of at least 241 bytes, with seed 0.
inline void xxh3_long(const std::uint8_t* data, std::size_t size, std::uint64_t* accumulators) {
    const auto* const secret = reinterpret_cast<const std::uint8_t*>(XXH3_kSecret);
    alignas(64)
        const std::uint64_t start[8] = {XXH_PRIME32_3, XXH_PRIME64_1, XXH_PRIME64_2, XXH_PRIME64_3,
                                        XXH_PRIME64_4, XXH_PRIME32_2, XXH_PRIME64_5, XXH_PRIME32_1};
    Xxh3Accumulators sums;
    for (std::size_t i = 0; i < kXxhVectors; ++i) {
        sums.products[i] =
            vec::load(reinterpret_cast<const std::uint8_t*>(start) + i * sizeof(vec::Vec));
        sums.data[i] = vec::zero();
    }
    const std::uint8_t* const last = data + size - kStripeBytes;
    std::size_t blocks = (size - 1) / kXxhBlockBytes;
    if (blocks > 0) {
        // Registers where there are enough, else at least memory that is aligned.
        const XxhKey keys[kStripes] = {
            XxhKey(secret),      XxhKey(secret + 8),   XxhKey(secret + 16),  XxhKey(secret + 24),
            XxhKey(secret + 32), XxhKey(secret + 40),  XxhKey(secret + 48),  XxhKey(secret + 56),
            XxhKey(secret + 64), XxhKey(secret + 72),  XxhKey(secret + 80),  XxhKey(secret + 88),
            XxhKey(secret + 96), XxhKey(secret + 104), XxhKey(secret + 112), XxhKey(secret + 120)};
        const XxhKey last_key(secret + kSecretBytes - kStripeBytes);
        if (size >= kXxhFarBytesMin) {
            sums.add_blocks<true>(data, blocks, keys, last_key);
        } else {
            sums.add_blocks<false>(data, blocks, keys, last_key);
        }
        data += blocks * kXxhBlockBytes;
    }
    const std::size_t left = (size - 1) % kXxhBlockBytes / kStripeBytes;
    for (std::size_t i = 0; i < left; ++i) {
        sums.add(data + i * kStripeBytes, XxhKey(secret + 8 * i));
    }
    sums.add(last, XxhKey(secret + kSecretBytes - kStripeBytes - 7));
    sums.join();
    __builtin_memcpy(accumulators, sums.products, kStripeBytes);
}

inline std::uint64_t xxh3_merge(const std::uint64_t* accumulators, std::size_t secret_offset,
                                std::uint64_t start) {
    return XXH3_mergeAccs(
        accumulators, reinterpret_cast<const unsigned char*>(XXH3_kSecret) + secret_offset, start);
}

#endif

std::uint32_t xxh32(std::uint32_t seed, const std::uint8_t* data, std::size_t size) {
    return XXH32(data, size, seed);
}

std::uint64_t xxh3_64(std::uint64_t seed, const std::uint8_t* data, std::size_t size) {
#if defined(DWCP_VEC_XXH3)
    if (size >= kXxh3LongBytesMin && seed == 0) {
        alignas(64) std::uint64_t accumulators[8];
        xxh3_long(data, size, accumulators);
        return xxh3_merge(accumulators, 11, size * XXH_PRIME64_1);
    }
#endif
    return XXH3_64bits_withSeed(data, size, seed);
}

void xxh3_128(std::uint64_t seed, const std::uint8_t* data, std::size_t size,
              std::uint64_t* low_high) {
#if defined(DWCP_VEC_XXH3)
    if (size >= kXxh3LongBytesMin && seed == 0) {
        alignas(64) std::uint64_t accumulators[8];
        xxh3_long(data, size, accumulators);
        low_high[0] = xxh3_merge(accumulators, 11, size * XXH_PRIME64_1);
        low_high[1] =
            xxh3_merge(accumulators, kSecretBytes - kStripeBytes - 11, ~(size * XXH_PRIME64_2));
        return;
    }
#endif
    const XXH128_hash_t hash = XXH3_128bits_withSeed(data, size, seed);
    low_high[0] = hash.low64;
    low_high[1] = hash.high64;
}

void xxh3_64_update(void* state, const std::uint8_t* data, std::size_t size) {
    XXH3_64bits_update(static_cast<XXH3_state_t*>(state), data, size);
}

void xxh3_128_update(void* state, const std::uint8_t* data, std::size_t size) {
    XXH3_128bits_update(static_cast<XXH3_state_t*>(state), data, size);
}
