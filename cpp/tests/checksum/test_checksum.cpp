#include "dwcp/checksum/checksum.hpp"

#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "dwcp/checksum/adler.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/checksum/fletcher.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;
using checksum::Algorithm;
using checksum::Checksum;
using checksum::Hash128;

namespace {

std::span<const std::byte> text(std::string_view characters) {
    return std::as_bytes(std::span(characters));
}

constexpr std::uint64_t kLong = (std::uint64_t{1} << 40) + 3;

}  // namespace

TEST_CASE("every algorithm has its published value of 123456789") {
    // CRC catalogue; RFC 1950 by hand; Fletcher over "12", "34", ... as little-endian words;
    // libxxhash.
    const auto data = text("123456789");
    for_each_tier([&](const kernels::Table&) {
        CHECK(compute(Algorithm::kCrc32, data) == Hash128{0xCBF43926, 0});
        CHECK(compute(Algorithm::kCrc32C, data) == Hash128{0xE3069283, 0});
        CHECK(compute(Algorithm::kCrc64Nvme, data) == Hash128{0xAE8B14860A799888, 0});
        CHECK(compute(Algorithm::kAdler32, data) == Hash128{0x091E01DE, 0});
        CHECK(compute(Algorithm::kFletcher32, data) == Hash128{0xDF09D509, 0});
        CHECK(compute(Algorithm::kXxh32, data) == Hash128{0x937BAD67, 0});
    });
}

TEST_CASE("names are those of the functions, and parse knows no others") {
    for (const Algorithm algorithm : checksum::kAlgorithms) {
        CHECK(checksum::parse(checksum::name(algorithm)) == algorithm);
    }
    CHECK(checksum::name(Algorithm::kXxh3_128) == "xxh3_128");
    CHECK_THROWS_WITH_AS(static_cast<void>(checksum::parse("crc16")),
                         "name must be one of crc32, crc32c, crc64nvme, adler32, fletcher32, "
                         "xxh32, xxh3_64, xxh3_128, not 'crc16'",
                         std::invalid_argument);
}

TEST_CASE("pieces give the same as the whole, however it is cut") {
    Random random(1);
    const auto bytes = random_bytes(5000, 2);
    for_each_tier([&](const kernels::Table&) {
        for (const Algorithm algorithm : checksum::kAlgorithms) {
            INFO("algorithm ", checksum::name(algorithm));
            for (int round = 0; round < 60; ++round) {
                const auto data = as_bytes(bytes).first(random.below(bytes.size()));
                // Mostly small pieces: they cross the blocks of every algorithm.
                const std::size_t longest = 1 + random.below(round % 2 == 0 ? 5 : 700);
                Checksum pieces(algorithm);
                for (auto rest = data; !rest.empty();) {
                    const std::size_t count = std::min(rest.size(), random.below(longest + 1));
                    pieces.update(rest.first(count));
                    rest = rest.subspan(count);
                }
                REQUIRE(pieces.value() == compute(algorithm, data));
            }
        }
    });
}

TEST_CASE("a copy goes its own way, and a reset object is new") {
    const auto data = random_bytes(1001, 3);
    const auto first = as_bytes(data).first(333);
    const auto second = as_bytes(data).subspan(333);
    for (const Algorithm algorithm : checksum::kAlgorithms) {
        INFO("algorithm ", checksum::name(algorithm));
        Checksum original(algorithm);
        original.update(first);
        Checksum copy = original;
        Checksum assigned(Algorithm::kAdler32);
        assigned = original;
        copy.update(second);
        CHECK(original.value() == compute(algorithm, first));
        CHECK(assigned.value() == compute(algorithm, first));
        CHECK(copy.value() == compute(algorithm, as_bytes(data)));
        const Checksum moved = std::move(copy);
        CHECK(moved.value() == compute(algorithm, as_bytes(data)));
        original.reset();
        CHECK(original.value() == compute(algorithm, {}));
        original.update(second);
        CHECK(original.value() == compute(algorithm, second));
    }
}

TEST_CASE("digests are big-endian") {
    Checksum crc(Algorithm::kCrc32);
    crc.update(text("123456789"));
    CHECK(crc.digest() ==
          std::vector{std::byte{0xCB}, std::byte{0xF4}, std::byte{0x39}, std::byte{0x26}});
    const Checksum wide(Algorithm::kXxh3_128);
    const Hash128 value = wide.value();
    const auto digest = wide.digest();
    REQUIRE(digest.size() == 16);
    CHECK(digest.front() == static_cast<std::byte>(value.high64 >> 56));
    CHECK(digest.back() == static_cast<std::byte>(value.low64));
}

TEST_CASE("seeds reach streams, and those out of bounds are refused") {
    const auto data = random_bytes(3000, 4);
    const std::uint64_t seed = 0x9E3779B185EBCA87;
    Checksum wide(Algorithm::kXxh3_128, seed);
    Checksum narrow(Algorithm::kXxh3_64, seed);
    Checksum short_one(Algorithm::kXxh32, 7);
    for (Checksum* const stream : {&wide, &narrow, &short_one}) {
        stream->update(as_bytes(data));
        stream->reset();
        stream->update(as_bytes(data).first(1));
        stream->update(as_bytes(data).subspan(1));
    }
    CHECK(wide.value() == checksum::xxh3_128(as_bytes(data), seed));
    CHECK(narrow.value().low64 == checksum::xxh3_64(as_bytes(data), seed));
    CHECK(short_one.value().low64 == checksum::xxh32(as_bytes(data), 7));
    CHECK_THROWS_WITH_AS(Checksum(Algorithm::kXxh32, std::uint64_t{1} << 32),
                         "seed must be 0..4294967295 for xxh32, not 4294967296",
                         std::invalid_argument);
    CHECK_THROWS_AS(Checksum(Algorithm::kCrc32, 1), std::invalid_argument);
}

TEST_CASE("verify holds for the right value and no other") {
    const auto data = random_bytes(100, 5);
    for (const Algorithm algorithm : checksum::kAlgorithms) {
        const Hash128 right = compute(algorithm, as_bytes(data));
        CHECK(verify(algorithm, as_bytes(data), right));
        for (unsigned bit = 0; bit < 64; ++bit) {
            const std::uint64_t flip = std::uint64_t{1} << bit;
            CHECK_FALSE(verify(algorithm, as_bytes(data), {right.low64 ^ flip, right.high64}));
            CHECK_FALSE(verify(algorithm, as_bytes(data), {right.low64, right.high64 ^ flip}));
        }
    }
}

TEST_CASE("combining gives the checksum of the whole") {
    Random random(6);
    const auto bytes = random_bytes(70'000, 7);
    for_each_tier([&](const kernels::Table&) {
        for (int round = 0; round < 200; ++round) {
            const auto whole = as_bytes(bytes).first(random.below(bytes.size()));
            const std::size_t split = random.below(whole.size() + 1);
            const auto a = whole.first(split);
            const auto b = whole.subspan(split);
            using namespace checksum;
            REQUIRE(crc32_combine(crc32(a), crc32(b), b.size()) == crc32(whole));
            REQUIRE(crc32c_combine(crc32c(a), crc32c(b), b.size()) == crc32c(whole));
            REQUIRE(crc64nvme_combine(crc64nvme(a), crc64nvme(b), b.size()) == crc64nvme(whole));
            REQUIRE(adler32_combine(adler32(a), adler32(b), b.size()) == adler32(whole));
        }
    });
}

TEST_CASE("appending zeros is the same as having them") {
    const auto head = text("head");
    for_each_tier([&](const kernels::Table&) {
        using namespace checksum;
        for (const std::size_t count : {0u, 1u, 63u, 64u, 65u, 16'383u, 16'384u, 1'048'577u}) {
            std::vector<std::uint8_t> data = {'h', 'e', 'a', 'd'};
            data.resize(data.size() + count);
            REQUIRE(crc32_append_zeros(crc32(head), count) == crc32(as_bytes(data)));
            REQUIRE(crc32c_append_zeros(crc32c(head), count) == crc32c(as_bytes(data)));
            REQUIRE(crc64nvme_append_zeros(crc64nvme(head), count) == crc64nvme(as_bytes(data)));
        }
        // Beyond any buffer: two steps are the same as one, and as a combination.
        REQUIRE(crc32_append_zeros(crc32_append_zeros(1, kLong), kLong) ==
                crc32_append_zeros(1, 2 * kLong));
        REQUIRE(crc32c_combine(5, crc32c_append_zeros(0, kLong), kLong) ==
                crc32c_append_zeros(5, kLong));
        // x has the order 2^n - 1 for n = 32 at most, and so x^(8 * (2^32 - 1)) is 1.
        REQUIRE(crc32_append_zeros(5, 0xFFFF'FFFF) == 5);
    });
}

TEST_CASE("Adler-32 and Fletcher-32 take values with halves beyond their modulus") {
    const auto data = text("data");
    CHECK(checksum::adler32(data, 65521u << 16 | 65522) == checksum::adler32(data, 1));
    CHECK(checksum::adler32({}, 0xFFFF'FFFF) == (14u << 16 | 14));
    CHECK(checksum::adler32_combine(0xFFFF'FFFF, 1, 0) == (14u << 16 | 14));
    CHECK(checksum::fletcher32(data, 0xFFFF'FFFF) == checksum::fletcher32(data));
}

TEST_CASE("threads that meet at the tables of powers all find them whole") {
    std::vector<std::uint32_t> results(8);
    std::vector<std::thread> threads;
    for (std::uint32_t& result : results) {
        threads.emplace_back([&result] { result = checksum::crc32c_append_zeros(1, kLong); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::uint32_t result : results) {
        CHECK(result == checksum::crc32c_append_zeros(1, kLong));
    }
}
