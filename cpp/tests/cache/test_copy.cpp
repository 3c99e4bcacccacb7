#include "dwcp/cache/copy.hpp"

#include <algorithm>
#include <stdexcept>

#include "dwcp/os/machine.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;
using cache::Stores;

namespace {

constexpr Stores kAll[] = {Stores::kBySize, Stores::kOrdinary, Stores::kNontemporal};

// Calls of kernels by the work; all else is memcpy and memset.
template <typename Work>
std::uint64_t kernel_calls(Work&& work) {
    isa::count_calls(true);
    const std::uint64_t before = isa::counted_calls(isa::active());
    work();
    const std::uint64_t calls = isa::counted_calls(isa::active()) - before;
    isa::count_calls(false);
    return calls;
}

bool has_stores() {
    return cache::nontemporal_bytes_min().has_value();
}

}  // namespace

TEST_CASE("copy agrees with the source for all stores, with and without sending it on") {
    const auto source = random_bytes(100'000, 1);
    for (const Stores stores : kAll) {
        for (const bool demote : {false, true}) {
            if (demote && stores == Stores::kOrdinary) continue;
            for (const std::size_t size : {0u, 1u, 63u, 64u, 65u, 4095u, 40'000u, 99'999u}) {
                std::vector<std::uint8_t> out(size + 1, 0xEE);
                cache::copy(as_writable(out).first(size), as_bytes(source).subspan(1, size), stores,
                            demote);
                CHECK(std::memcmp(out.data(), source.data() + 1, size) == 0);
                CHECK(out.back() == 0xEE);
            }
        }
    }
}

TEST_CASE("copy refuses other lengths and overlaps, and a source that is the destination is fine") {
    auto bytes = random_bytes(1000, 2);
    const auto before = bytes;
    const auto all = as_writable(bytes);
    for (const Stores stores : kAll) {
        CHECK_THROWS_WITH_AS(cache::copy(all.first(10), all.subspan(500, 11), stores),
                             "copy: dst and src must have equal lengths, not 10 and 11 bytes",
                             std::invalid_argument);
        CHECK_THROWS_WITH_AS(cache::copy(all.first(100), all.subspan(99, 100), stores),
                             "copy: dst must be src exactly, or not overlap it",
                             std::invalid_argument);
        CHECK_THROWS_AS(cache::copy(all.subspan(1, 999), all.first(999), stores),
                        std::invalid_argument);
        cache::copy(all, all, stores);
        CHECK(bytes == before);
    }
    CHECK_THROWS_WITH_AS(cache::copy(all.first(8), all.last(8), Stores::kOrdinary, true),
                         "copy: nontemporal must not be false where the source is demoted",
                         std::invalid_argument);
    cache::copy(all.first(500), all.last(500));
    CHECK(std::memcmp(bytes.data(), before.data() + 500, 500) == 0);
}

TEST_CASE("fill repeats a byte or a pattern") {
    for (const Stores stores : kAll) {
        for (const std::size_t size : {0u, 64u, 640u, 4096u, 65'536u, 100'032u}) {
            for (const std::size_t pattern_bytes : {1u, 2u, 4u, 8u, 16u, 32u, 64u}) {
                const auto pattern = random_bytes(pattern_bytes, pattern_bytes);
                for (const std::size_t offset : {0u, 1u, 40u}) {
                    std::vector<std::uint8_t> out(size + 64, 0xEE);
                    cache::fill(as_writable(out).subspan(offset, size), as_bytes(pattern), stores);
                    bool good = true;
                    for (std::size_t i = 0; i < out.size(); ++i) {
                        const bool inside = i >= offset && i < offset + size;
                        good = good &&
                               out[i] == (inside ? pattern[(i - offset) % pattern_bytes] : 0xEE);
                    }
                    CHECK(good);
                }
            }
        }
        std::vector<std::uint8_t> out(1001, 0xEE);
        cache::fill(as_writable(out).first(1000), std::byte{7}, stores);
        CHECK(std::vector<std::uint8_t>(1000, 7) ==
              std::vector<std::uint8_t>(out.begin(), out.end() - 1));
        CHECK(out.back() == 0xEE);
    }
}

TEST_CASE("fill refuses patterns that do not fit") {
    std::vector<std::uint8_t> out(96, 1);
    for (const std::size_t size : {0u, 3u, 12u, 48u, 64u, 96u, 128u}) {
        const std::vector<std::uint8_t> pattern(size, 2);
        CHECK_THROWS_AS(cache::fill(as_writable(out), as_bytes(pattern)), std::invalid_argument);
    }
    CHECK(out == std::vector<std::uint8_t>(96, 1));
}

TEST_CASE("stores go past the caches from the size of the cache on, and when told so") {
    for (const std::string& name : isa::available()) {
        isa::force(name);
        INFO("instruction set ", name);
        CHECK(has_stores() == (name != "scalar" && name != "neon"));
        CHECK((has_stores() || !cache::can_demote()));
        const std::size_t bytes_min = cache::nontemporal_bytes_min().value_or(std::size_t{1} << 20);
        CHECK(bytes_min <= std::size_t{192} << 20);
        CHECK(bytes_min <= std::max(os::last_level_cache_bytes(), std::size_t{1} << 20));
        const std::uint64_t beyond = has_stores() ? 1 : 0;
        std::vector<std::uint8_t> dst(bytes_min);
        std::vector<std::uint8_t> src(bytes_min / 2 + 1, 3);
        const auto out = as_writable(dst);
        const auto in = as_bytes(src);
        const auto copied = [&](std::size_t size, Stores stores) {
            return kernel_calls([&] { cache::copy(out.first(size), in.first(size), stores); });
        };
        const auto filled = [&](std::size_t size, Stores stores) {
            return kernel_calls([&] { cache::fill(out.first(size), std::byte{5}, stores); });
        };
        CHECK(copied((bytes_min - 1) / 2, Stores::kBySize) == 0);
        CHECK(copied((bytes_min + 1) / 2, Stores::kBySize) == beyond);
        CHECK(std::memcmp(dst.data(), src.data(), bytes_min / 2) == 0);
        CHECK(copied((bytes_min + 1) / 2, Stores::kOrdinary) == 0);
        CHECK(copied(1, Stores::kNontemporal) == 1);
        CHECK(filled(bytes_min - 1, Stores::kBySize) == 0);
        CHECK(filled(bytes_min, Stores::kBySize) == beyond);
        CHECK(dst == std::vector<std::uint8_t>(bytes_min, 5));
        CHECK(filled(bytes_min, Stores::kOrdinary) == 0);
        CHECK(filled(1, Stores::kNontemporal) == 1);
    }
    isa::force(isa::available().back());
}
