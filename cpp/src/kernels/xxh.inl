// xxHash, from the header of libxxhash, which tier.cpp includes with XXH_INLINE_ALL.

std::uint32_t xxh32(std::uint32_t seed, const std::uint8_t* data, std::size_t size) {
    return XXH32(data, size, seed);
}

std::uint64_t xxh3_64(std::uint64_t seed, const std::uint8_t* data, std::size_t size) {
    return XXH3_64bits_withSeed(data, size, seed);
}

void xxh3_128(std::uint64_t seed, const std::uint8_t* data, std::size_t size,
              std::uint64_t* low_high) {
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
