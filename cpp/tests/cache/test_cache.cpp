#include "dwcp/cache/cache.hpp"

#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "dwcp/cache/copy.hpp"
#include "support.hpp"

using namespace dwcp::cache;
namespace isa = dwcp::isa;

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
            const std::vector<std::int32_t> narrow(rows.begin(), rows.end());
            std::vector<std::byte> other(count * size);
            gather(table, size, narrow, other);
            good = good && std::equal(other.begin(), other.end(), out.begin());
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
    for (const std::int32_t wrong : {10, -1, INT32_MAX, INT32_MIN}) {
        const std::vector<std::int32_t> narrow{9, wrong};
        CHECK_THROWS_AS(gather(table, 64, narrow, out), std::invalid_argument);
    }
    CHECK(out == before);
    gather({}, 64, std::span<const std::int64_t>(), std::span<std::byte>());
    gather(table, 64, rows, out);
    CHECK(out != before);
}

TEST_CASE("rows that together exceed the cache go past it, and are the same") {
    constexpr std::size_t kRowBytes = 8192;
    const std::vector<std::byte> table = random_bytes(3 * kRowBytes);
    for (const std::string& name : isa::available()) {
        isa::force(name);
        const std::size_t bytes_min = nontemporal_bytes_min().value_or(std::size_t{1} << 20);
        std::vector<std::int32_t> rows((bytes_min / 4 + kRowBytes - 1) / kRowBytes);
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int32_t>(i % 3);
        std::vector<std::byte> out(rows.size() * kRowBytes);
        isa::count_calls(true);
        const std::uint64_t before = isa::counted_calls(name);
        gather(table, kRowBytes, rows, out);
        CHECK(isa::counted_calls(name) - before == (nontemporal_bytes_min() ? 1 : 0));
        isa::count_calls(false);
        bool good = true;
        for (std::size_t at = 0; at < out.size(); at += kRowBytes) {
            good = good &&
                   std::memcmp(&out[at], &table[at / kRowBytes % 3 * kRowBytes], kRowBytes) == 0;
        }
        CHECK(good);
    }
    isa::force(isa::available().back());
}

TEST_CASE("pieces at a stride are gathered, forwards and backwards") {
    const std::vector<std::byte> data = random_bytes(5000);
    for (const std::size_t size : {1, 4, 7, 8, 16, 64, 100, 300}) {
        for (const std::ptrdiff_t stride : {-321, -64, -1, 0, 1, 5, 64, 321}) {
            for (const std::size_t start : {0, 13, 2500, 4700}) {
                // As many as there are, up to 200.
                std::size_t count = 0;
                for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(start);
                     at >= 0 && at + static_cast<std::ptrdiff_t>(size) <= 5000 && count < 200;
                     at += stride) {
                    ++count;
                }
                std::vector<std::byte> out(count * size, std::byte{1});
                gather_strided(data, start, stride, size, out);
                bool good = true;
                for (std::size_t i = 0; i < count; ++i) {
                    const auto at =
                        static_cast<std::size_t>(static_cast<std::ptrdiff_t>(start) +
                                                 static_cast<std::ptrdiff_t>(i) * stride);
                    good = good && std::memcmp(&out[i * size], &data[at], size) == 0;
                }
                CHECK(good);
                if (count == 200) continue;
                // One more is not there.
                std::vector<std::byte> more((count + 1) * size, std::byte{1});
                const std::vector<std::byte> before = more;
                CHECK_THROWS_AS(gather_strided(data, start, stride, size, more),
                                std::invalid_argument);
                CHECK(more == before);
            }
        }
    }
}

TEST_CASE("pieces that are not within the data are refused, however far away") {
    const std::vector<std::byte> data = random_bytes(100);
    std::vector<std::byte> out(16);
    constexpr std::size_t kMax = SIZE_MAX;
    CHECK_THROWS_WITH_AS(
        gather_strided(data, 93, 1, 8, out),
        "data of 100 bytes do not have 2 pieces of 8 bytes from 93 on, 1 bytes apart",
        std::invalid_argument);
    for (const std::size_t start : {std::size_t{101}, kMax, kMax - 7}) {
        CHECK_THROWS_AS(gather_strided(data, start, 1, 8, out), std::invalid_argument);
    }
    for (const std::ptrdiff_t stride : {PTRDIFF_MAX, PTRDIFF_MIN, std::ptrdiff_t{93}}) {
        CHECK_THROWS_AS(gather_strided(data, 0, stride, 8, out), std::invalid_argument);
    }
    CHECK_THROWS_AS(gather_strided(data, 0, 1, 0, out), std::invalid_argument);
    CHECK_THROWS_AS(gather_strided(data, 0, 1, 7, out), std::invalid_argument);
    CHECK_THROWS_AS(gather_strided({}, 0, 1, 8, out), std::invalid_argument);
    gather_strided({}, 5, 1, 8, {});
}
