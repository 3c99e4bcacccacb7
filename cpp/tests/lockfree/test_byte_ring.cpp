#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "dwcp/lockfree/byte_ring.hpp"

using namespace dwcp::lockfree;

namespace {

std::vector<std::byte> bytes_from(std::size_t from, std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>((from + i) % 251);
    return bytes;
}

}  // namespace

TEST_CASE("bytes come out as they went in, for odd capacities and over the end of the memory") {
    for (const std::size_t capacity : {1, 2, 7, 4095, 4096, 4097, 10'000}) {
        ByteRing ring(capacity);
        CHECK(ring.capacity() == capacity);
        std::mt19937 random(static_cast<unsigned>(capacity));
        std::size_t put = 0;
        std::size_t got = 0;
        for (int i = 0; i < 300; ++i) {
            const std::vector<std::byte> data = bytes_from(put, random() % (capacity + 3));
            const std::size_t fitting = std::min(data.size(), capacity - (put - got));
            REQUIRE(ring.write(data) == fitting);
            put += fitting;
            REQUIRE(ring.size() == put - got);
            REQUIRE(ring.full() == (put - got == capacity));
            std::vector<std::byte> out(random() % (capacity + 3));
            const std::size_t there = std::min(out.size(), put - got);
            REQUIRE(ring.read(out) == there);
            out.resize(there);
            REQUIRE(out == bytes_from(got, there));
            got += there;
            REQUIRE(ring.empty() == (put == got));
        }
    }
}

TEST_CASE("reservations and what can be read are one span, also over the end") {
    ByteRing ring(4096);
    std::size_t at = 0;
    for (int i = 0; i < 50; ++i) {
        const std::span<std::byte> room = ring.reserve(1000);
        REQUIRE(room.size() == 1000);
        const std::vector<std::byte> data = bytes_from(at, 1000);
        std::memcpy(room.data(), data.data(), 1000);
        CHECK(ring.readable().empty());  // before the commit nothing is seen
        ring.commit(900);
        const std::span<const std::byte> there = ring.readable();
        REQUIRE(there.size() == 900);
        CHECK(std::memcmp(there.data(), data.data(), 900) == 0);
        ring.consume(900);
        at += 900;
    }
}

TEST_CASE("what does not fit is refused") {
    ByteRing ring(100);
    CHECK(ring.reserve(101).empty());
    CHECK(ring.reserve(100).size() == 100);
    CHECK_THROWS_WITH_AS(ring.commit(101), "commit: size must be at most 100 bytes, but is 101",
                         std::invalid_argument);
    ring.commit(60);
    CHECK(ring.reserve(41).empty());
    CHECK_THROWS_AS(ring.consume(61), std::invalid_argument);
    ring.clear();
    CHECK(ring.empty());
    CHECK_THROWS_AS(ByteRing(0), std::invalid_argument);
    CHECK_THROWS_AS(ByteRing(std::size_t{1} << 60), std::invalid_argument);
}

TEST_CASE("one thread writes while another reads") {
    ByteRing ring(1000);
    constexpr std::size_t kBytes = 300'000;
    std::jthread writer([&] {
        for (std::size_t at = 0; at < kBytes;) {
            const std::size_t size = std::min<std::size_t>(1 + at % 700, kBytes - at);
            const std::span<std::byte> room = ring.reserve(size);
            if (room.empty()) {
                std::this_thread::yield();
                continue;
            }
            const std::vector<std::byte> data = bytes_from(at, size);
            std::memcpy(room.data(), data.data(), size);
            ring.commit(size);
            at += size;
        }
    });
    for (std::size_t at = 0; at < kBytes;) {
        const std::span<const std::byte> there = ring.readable();
        if (there.empty()) std::this_thread::yield();
        for (const std::byte byte : there) REQUIRE(byte == static_cast<std::byte>(at++ % 251));
        ring.consume(there.size());
    }
}
