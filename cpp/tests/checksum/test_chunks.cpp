#include "dwcp/checksum/chunks.hpp"

#include <stdexcept>

#include "dwcp/checksum/rolling.hpp"
#include "kernels/gear.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

// The definition, byte by byte.
std::vector<std::uint32_t> gear_hashes(std::span<const std::uint8_t> data) {
    std::vector<std::uint32_t> hashes;
    std::uint32_t hash = 0;
    for (const std::uint8_t byte : data) {
        hash =
            2 * hash + kernels::gear_halves.low[byte & 15] + kernels::gear_halves.high[byte >> 4];
        hashes.push_back(hash);
    }
    return hashes;
}

}  // namespace

TEST_CASE("gear hits are those of the definition, at every range and threshold") {
    const auto data = random_bytes(8000, 5);
    const auto expected = gear_hashes(data);
    Random random(6);
    for_each_tier([&](const kernels::Table& kernels) {
        for (int i = 0; i < 300; ++i) {
            const std::size_t first = kernels::kGearWindow + random.below(2000);
            const std::size_t last = first + random.below(data.size() - first + 1);
            const auto threshold = static_cast<std::uint32_t>(random.next() >> (32 + i % 12));
            std::vector<std::uint32_t> offsets(last - first + 1, 7);
            std::vector<std::uint32_t> hashes(last - first + 1, 7);
            const std::size_t count = kernels.gear_hits(data.data(), first, last, threshold,
                                                        offsets.data(), hashes.data());
            std::size_t found = 0;
            for (std::size_t at = first; at < last; ++at) {
                if (expected[at] >= threshold) continue;
                REQUIRE(found < count);
                REQUIRE(offsets[found] == at - first);
                REQUIRE(hashes[found] == expected[at]);
                ++found;
            }
            REQUIRE(found == count);
            REQUIRE(offsets.back() == 7);
            REQUIRE(hashes.back() == 7);
        }
    });
}

TEST_CASE("gear hits stay inside the data") {
    const GuardedPage page;
    std::vector<std::uint32_t> offsets(page.size());
    std::vector<std::uint32_t> hashes(page.size());
    for_each_tier([&](const kernels::Table& kernels) {
        for (std::size_t size = kernels::kGearWindow; size <= page.size(); size += 37) {
            for (const std::uint8_t* data : {page.first(), page.last(size)}) {
                kernels.gear_hits(data, kernels::kGearWindow, size, 1, offsets.data(),
                                  hashes.data());
            }
        }
    });
}

TEST_CASE("chunks cover the data and keep their bounds on every tier") {
    const auto data = random_bytes(500'000, 7);
    std::vector<checksum::Chunk> first_tier;
    for_each_tier([&](const kernels::Table&) {
        const auto chunks = checksum::chunks(as_bytes(data), {256, 1024, 8192});
        std::uint64_t end = 0;
        for (const auto& chunk : chunks) {
            REQUIRE(chunk.offset == end);
            end += chunk.length;
            REQUIRE(chunk.length <= 8192);
            REQUIRE((chunk.length >= 256 || end == data.size()));
        }
        REQUIRE(end == data.size());
        if (first_tier.empty()) first_tier = chunks;
        REQUIRE(chunks == first_tier);
    });
}

TEST_CASE("a rolling hash refuses windows that it cannot have") {
    CHECK_THROWS_AS(checksum::RollingHash(0), std::invalid_argument);
    CHECK_THROWS_AS(checksum::RollingHash((std::size_t{1} << 30) + 1), std::invalid_argument);
}

TEST_CASE("a rolling hash is the same byte by byte and in one scan") {
    const auto data = random_bytes(1000, 8);
    for (const std::size_t window : {1u, 2u, 3u, 31u, 64u, 999u, 2000u}) {
        checksum::RollingHash one(window);
        checksum::RollingHash many(window);
        std::vector<std::uint64_t> values(data.size());
        many.scan(as_bytes(data).first(500), std::span(values).first(500));
        many.scan(as_bytes(data).subspan(500), std::span(values).subspan(500));
        for (std::size_t i = 0; i < data.size(); ++i) {
            one.update(static_cast<std::byte>(data[i]));
            REQUIRE(values[i] == one.value());
        }
        REQUIRE(many.value() == one.value());
        CHECK_THROWS_AS(many.scan(as_bytes(data), std::span(values).first(3)),
                        std::invalid_argument);
    }
}
