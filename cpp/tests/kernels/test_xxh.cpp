// Against the libxxhash that is linked, which is not the code that the kernels were compiled from.
#include <xxhash.h>

#include <algorithm>
#include <memory>

#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

struct FreeState {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};
using State = std::unique_ptr<XXH3_state_t, FreeState>;

void check(const kernels::Table& table, const std::uint8_t* data, std::size_t size,
           std::uint64_t seed) {
    INFO("size ", size, " seed ", seed);
    REQUIRE(table.xxh32(static_cast<std::uint32_t>(seed), data, size) ==
            XXH32(data, size, static_cast<std::uint32_t>(seed)));
    REQUIRE(table.xxh3_64(seed, data, size) == XXH3_64bits_withSeed(data, size, seed));
    std::uint64_t low_high[2];
    table.xxh3_128(seed, data, size, low_high);
    const XXH128_hash_t expected = XXH3_128bits_withSeed(data, size, seed);
    REQUIRE(low_high[0] == expected.low64);
    REQUIRE(low_high[1] == expected.high64);
}

}  // namespace

TEST_CASE("xxHash agrees with libxxhash at every length") {
    const auto data = random_bytes(1300, 21);
    for_each_tier([&](const kernels::Table& table) {
        for (std::size_t size = 0; size <= 1100; ++size) {
            for (const std::uint64_t seed :
                 {std::uint64_t{0}, std::uint64_t{0x9E3779B97F4A7C15u}}) {
                check(table, data.data() + size % 67, size, seed);
            }
        }
    });
}

TEST_CASE("xxHash agrees with libxxhash around whole stripes and blocks") {
    const auto data = random_bytes(5'000'000, 22);
    for_each_tier([&](const kernels::Table& table) {
        for (const std::size_t size : {2048u, 4096u, 32'768u, 102'400u, 2'097'152u, 4'900'000u}) {
            for (const int off : {-64, -1, 0, 1, 63, 64, 65}) {
                for (const std::size_t offset : {0u, 16u, 21u, 48u}) {
                    check(table, data.data() + offset, size + static_cast<std::size_t>(off), 0);
                }
            }
        }
    });
}

TEST_CASE("xxHash stays inside its buffers") {
    const GuardedPage page;
    for_each_tier([&](const kernels::Table& table) {
        for (std::size_t size = 0; size <= 1100; ++size) {
            REQUIRE(table.xxh3_64(0, page.last(size), size) ==
                    table.xxh3_64(0, page.first(), size));
            REQUIRE(table.xxh32(0, page.last(size), size) == table.xxh32(0, page.first(), size));
        }
        check(table, page.first(), page.size(), 0);
    });
}

TEST_CASE("XXH3 in pieces is XXH3 of the whole") {
    const auto data = random_bytes(50'000, 23);
    for_each_tier([&](const kernels::Table& table) {
        Random random(24);
        for (int i = 0; i < 30; ++i) {
            const std::size_t size = random.below(data.size());
            const State state(XXH3_createState());
            const State state128(XXH3_createState());
            XXH3_64bits_reset(state.get());
            XXH3_128bits_reset(state128.get());
            for (std::size_t at = 0; at < size;) {
                const std::size_t count = std::min(size - at, 1 + random.below(3000));
                table.xxh3_64_update(state.get(), data.data() + at, count);
                table.xxh3_128_update(state128.get(), data.data() + at, count);
                at += count;
            }
            REQUIRE(XXH3_64bits_digest(state.get()) == XXH3_64bits(data.data(), size));
            REQUIRE(XXH3_128bits_digest(state128.get()).high64 ==
                    XXH3_128bits(data.data(), size).high64);
        }
    });
}
