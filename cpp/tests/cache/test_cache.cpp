#include "dwcp/cache/cache.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

using namespace dwcp::cache;

namespace {

std::vector<std::byte> random_bytes(std::size_t size) {
    std::minstd_rand random(static_cast<unsigned>(size + 1));
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

}  // namespace

TEST_CASE("prefetching changes nothing and takes any address") {
    std::vector<std::byte> bytes = random_bytes(1000);
    const std::vector<std::byte> before = bytes;
    for (const Access access : {Access::kRead, Access::kWrite}) {
        for (const Locality locality :
             {Locality::kOnce, Locality::kLow, Locality::kMiddle, Locality::kHigh}) {
            prefetch(bytes, access, locality);
            prefetch({bytes.data() + 7, 130}, access, locality);
            prefetch({}, access, locality);
            prefetch({reinterpret_cast<const std::byte*>(64), 300}, access, locality);
        }
    }
    CHECK(bytes == before);
}

TEST_CASE("rows are gathered in order, of every size up to 300 bytes") {
    constexpr std::size_t kRows = 37;
    for (std::size_t size = 1; size <= 300; ++size) {
        const std::vector<std::byte> table = random_bytes(kRows * size);
        for (const std::size_t count : {0, 1, 5, 23, 24, 25, 100}) {
            std::minstd_rand random(static_cast<unsigned>(count + 1));
            std::vector<std::int64_t> rows(count);
            for (std::int64_t& row : rows) row = static_cast<std::int64_t>(random() % kRows);
            std::vector<std::byte> out(count * size + 1, std::byte{0xee});
            gather(table, size, rows, std::span(out).first(count * size));
            bool good = out.back() == std::byte{0xee};
            for (std::size_t i = 0; i < count; ++i) {
                good = good &&
                       std::memcmp(&out[i * size], &table[static_cast<std::size_t>(rows[i]) * size],
                                   size) == 0;
            }
            CHECK(good);
        }
    }
}

TEST_CASE("rows that are not there are refused before anything is written") {
    const std::vector<std::byte> table = random_bytes(640);
    std::vector<std::byte> out(128, std::byte{1});
    const std::vector<std::byte> before = out;
    for (const std::int64_t wrong : {std::int64_t{10}, std::int64_t{-1}, INT64_MAX, INT64_MIN}) {
        const std::vector<std::int64_t> rows{0, wrong};
        CHECK_THROWS_AS(gather(table, 64, rows, out), std::invalid_argument);
    }
    const std::vector<std::int64_t> rows{0, 9};
    CHECK_THROWS_WITH_AS(gather(table, 64, std::vector<std::int64_t>{3, 10}, out),
                         "rows must be 0 to 10 - 1, the rows of the table, but row 1 is 10",
                         std::invalid_argument);
    CHECK_THROWS_AS(gather(table, 0, rows, out), std::invalid_argument);
    CHECK_THROWS_AS(gather(table, 63, rows, out), std::invalid_argument);
    CHECK_THROWS_AS(gather(table, 64, rows, std::span(out).first(127)), std::invalid_argument);
    CHECK_THROWS_AS(gather(table, 64, rows, std::span(out).first(64)), std::invalid_argument);
    CHECK_THROWS_AS(gather({}, 64, rows, out), std::invalid_argument);
    CHECK(out == before);
    gather(table, 64, rows, out);
    CHECK(out != before);
}
