#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "dwcp/lockfree/shared/byte_ring.hpp"
#include "lockfree/shared/helpers.hpp"
#include "lockfree/shared/ring_state.hpp"

using namespace dwcp;
using namespace dwcp::lockfree::shared;
using namespace dwcp::lockfree::shared::test;
using namespace std::chrono_literals;

TEST_CASE("messages of all sizes come out whole and in order, for every capacity") {
    for (const std::uint64_t capacity : {1, 7, 8, 100, 4088, 4096, 5000}) {
        ByteRing ring = ByteRing::create(std::nullopt, capacity);
        CHECK(ring.capacity() == capacity);
        std::deque<std::string> expected;
        std::uint64_t used = 0;
        std::mt19937 random(static_cast<unsigned>(capacity));
        for (int i = 0; i < 3000; ++i) {
            if (random() % 2 == 0) {
                const std::string message(random() % (capacity + 1),
                                          static_cast<char>('a' + i % 26));
                const std::uint64_t needed = 8 + (message.size() + 7) / 8 * 8;
                const bool fits = used + needed <= 8 + (capacity + 7) / 8 * 8;
                REQUIRE(ring.try_put(bytes_of(message)) == fits);
                if (fits) {
                    expected.push_back(message);
                    used += needed;
                }
            } else {
                std::string message;
                REQUIRE(try_get(ring, message) == !expected.empty());
                if (expected.empty()) continue;
                REQUIRE(message == expected.front());
                used -= 8 + (message.size() + 7) / 8 * 8;
                expected.pop_front();
            }
            REQUIRE(ring.messages() == expected.size());
            REQUIRE(ring.empty() == expected.empty());
        }
    }
}

TEST_CASE("what is not committed is never seen, and what is not consumed stays") {
    ByteRing ring = ByteRing::create(std::nullopt, 100);
    {
        std::optional<ByteRing::Writing> writing = ring.try_reserve(10);
        REQUIRE(writing);
        std::memset(writing->room().data(), 'x', 10);
        CHECK(ring.empty());
        CHECK_FALSE(ring.try_reserve(1));  // the side is taken
    }
    CHECK(ring.empty());
    std::optional<ByteRing::Writing> writing = ring.try_reserve(10);
    CHECK_THROWS_AS(writing->commit(11), std::invalid_argument);
    std::memset(writing->room().data(), 'y', 10);
    writing->commit(4);
    for (int i = 0; i < 2; ++i) {
        std::optional<ByteRing::Reading> reading = ring.try_read();
        REQUIRE(reading);
        CHECK(reading->data().size() == 4);
    }
    std::string message;
    REQUIRE(try_get(ring, message));
    CHECK(message == "yyyy");
    CHECK(ring.empty());
}

TEST_CASE("bad arguments are refused") {
    CHECK_THROWS_AS(ByteRing::create(std::nullopt, 0), std::invalid_argument);
    CHECK_THROWS_AS(ByteRing::create(std::nullopt, std::uint64_t{1} << 41), std::invalid_argument);
    for (const std::string& name : {std::string(), std::string("a/b"), std::string(201, 'a')}) {
        CHECK_THROWS_AS(ByteRing::create(name, 10), std::invalid_argument);
        CHECK_THROWS_AS(ByteRing::attach(name), std::invalid_argument);
    }
    CHECK_THROWS_AS(ByteRing::attach(unique_name("none")), std::system_error);
    CHECK_THROWS_AS(ByteRing::attach(-1), std::system_error);
    ByteRing ring = ByteRing::create(std::nullopt, 10);
    CHECK_THROWS_WITH_AS(static_cast<void>(ring.try_put(bytes_of("eleven byte"))),
                         "a message must have at most 10 bytes, the capacity, but has 11",
                         std::invalid_argument);
}

TEST_CASE("names are taken once, found, and removed") {
    const std::string name = unique_name("names");
    ByteRing ring = ByteRing::create(name, 100);
    CHECK_THROWS_AS(ByteRing::create(name, 100), std::system_error);
    ByteRing other = ByteRing::attach(name);
    REQUIRE(ring.try_put(bytes_of("hello")));
    std::string message;
    REQUIRE(try_get(other, message));
    CHECK(message == "hello");
    CHECK(unlink(name));
    CHECK_FALSE(unlink(name));
    CHECK_THROWS_AS(ByteRing::attach(name), std::system_error);
    REQUIRE(ring.try_put(bytes_of("still there for those who have it")));
}

TEST_CASE("files that are no rings are refused") {
    const std::string name = unique_name("hostile");
    const std::string path = "/dev/shm/dwcp." + name;
    std::string honest;
    {
        ByteRing ring = ByteRing::create(name, 100);
        const int fd = open(path.c_str(), O_RDONLY);
        honest.resize(os::SharedFile::duplicate(fd).size());
        REQUIRE(pread(fd, honest.data(), honest.size(), 0) == static_cast<ssize_t>(honest.size()));
        close(fd);
        unlink(name);
    }
    const auto refused = [&](const std::string& contents) {
        const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
        REQUIRE(write(fd, contents.data(), contents.size()) ==
                static_cast<ssize_t>(contents.size()));
        close(fd);
        CHECK_THROWS_AS(ByteRing::attach(name), CorruptSegment);
        unlink(name);
    };
    refused("");
    refused("short");
    refused(std::string(honest.size(), '\0'));
    refused(honest.substr(0, honest.size() - 1));
    refused(honest + std::string(4096, '\0'));
    // The fields in front of the part that changes, one after the other.
    for (std::size_t at = 0; at < offsetof(SegmentHeader, shut_down); at += 4) {
        // Another capacity that fits would do no harm.
        if (at == offsetof(SegmentHeader, capacity)) continue;
        std::string damaged = honest;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
        refused(damaged);
    }
}

TEST_CASE("positions and lengths that cannot be are noticed before memory is touched") {
    ByteRing ring = ByteRing::create(std::nullopt, 100);
    os::SharedFile file = os::SharedFile::duplicate(ring.fd());
    const std::size_t header_bytes = check_segment(file, kByteRing).header_bytes;
    const os::SharedMapping mapping(file.fd(), header_bytes + 4096);
    auto& header = *static_cast<RingHeader*>(mapping.data());
    REQUIRE(ring.try_put(bytes_of("message")));
    auto* const length =
        reinterpret_cast<std::uint64_t*>(static_cast<std::byte*>(mapping.data()) + header_bytes);
    for (const std::uint64_t wrong : {std::uint64_t{9}, std::uint64_t{101}, ~std::uint64_t{0}}) {
        *length = wrong;
        CHECK_THROWS_AS(static_cast<void>(ring.try_read()), CorruptSegment);
    }
    for (const std::uint64_t wrong :
         {std::uint64_t{17}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        header.producers.position = wrong;
        ByteRing other = ByteRing::attach(ring.fd());
        CHECK_THROWS_AS(static_cast<void>(other.try_read()), CorruptSegment);
        CHECK_THROWS_AS(static_cast<void>(other.try_reserve(8)), CorruptSegment);
    }
}

TEST_CASE("threads on both sides lose nothing") {
    ByteRing ring = ByteRing::create(std::nullopt, 200);
    constexpr int kEach = 3000;
    std::atomic<int> left = 3 * kEach;
    std::atomic<std::uint64_t> sum = 0;
    std::vector<std::jthread> threads;
    for (int p = 0; p < 3; ++p) {
        threads.emplace_back([&, p] {
            for (int i = 0; i < kEach; ++i) {
                const std::string message = std::to_string(p * kEach + i);
                REQUIRE(put(ring, message) == Outcome::kDone);
            }
        });
    }
    for (int c = 0; c < 2; ++c) {
        threads.emplace_back([&] {
            std::string message;
            while (get(ring, message, std::nullopt) == Outcome::kDone) {
                sum += std::stoull(message);
                if (--left == 0) ring.shutdown();
            }
        });
    }
    threads.clear();
    constexpr std::uint64_t kAll = 3 * kEach;
    CHECK(sum == kAll * (kAll - 1) / 2);
}

TEST_CASE("a child process and its parent pass on messages, both waiting") {
    ByteRing there = ByteRing::create(std::nullopt, 16);
    ByteRing back = ByteRing::create(std::nullopt, 16);
    Child child([&] {
        std::string message;
        while (get(there, message, std::nullopt) == Outcome::kDone) {
            if (put(back, message) != Outcome::kDone) _exit(1);
        }
    });
    for (int i = 0; i < 2000; ++i) {
        REQUIRE(put(there, std::to_string(i)) == Outcome::kDone);
        std::string message;
        REQUIRE(get(back, message, 10s) == Outcome::kDone);
        REQUIRE(message == std::to_string(i));
    }
    there.shutdown();
    CHECK(child.wait() == 0);
}

TEST_CASE("who is killed with the lock of its side, in the midst of a message, leaves nothing") {
    ByteRing ring = ByteRing::create(std::nullopt, 100);
    ByteRing ready = ByteRing::create(std::nullopt, 8);
    std::string message;
    {
        Child child([&] {
            if (!ring.try_put(bytes_of("first"))) _exit(1);
            const std::optional<ByteRing::Writing> writing = ring.try_reserve(20);
            std::memset(writing->room().data(), 'x', 20);
            if (!ready.try_put({})) _exit(1);
            pause();
        });
        REQUIRE(get(ready, message, 10s) == Outcome::kDone);
        CHECK(put(ring, "no", 1ms) == Outcome::kTimedOut);  // it has the lock, and lives
        child.kill_and_wait();
    }
    REQUIRE(put(ring, "second", 10s) == Outcome::kDone);
    REQUIRE(get(ring, message, 10s) == Outcome::kDone);
    CHECK(message == "first");
    REQUIRE(get(ring, message, 10s) == Outcome::kDone);
    CHECK(message == "second");
    CHECK(ring.empty());
}

TEST_CASE("a reader that is killed leaves the message to the next one") {
    ByteRing ring = ByteRing::create(std::nullopt, 100);
    ByteRing ready = ByteRing::create(std::nullopt, 8);
    REQUIRE(ring.try_put(bytes_of("message")));
    std::string message;
    {
        Child child([&] {
            const std::optional<ByteRing::Reading> reading = ring.try_read();
            if (!ready.try_put({})) _exit(1);
            pause();
        });
        REQUIRE(get(ready, message, 10s) == Outcome::kDone);
        child.kill_and_wait();
    }
    REQUIRE(get(ring, message, 10s) == Outcome::kDone);
    CHECK(message == "message");
}

TEST_CASE("those who wait are told when the last one of the other side has died") {
    ByteRing ring = ByteRing::create(std::nullopt, 16);
    ByteRing ready = ByteRing::create(std::nullopt, 8);
    std::string message;
    SUBCASE("a producer, also when nobody has waited for it yet") {
        Child child([&] {
            if (!ring.try_put(bytes_of("last words")) || !ready.try_put({})) _exit(1);
            pause();
        });
        REQUIRE(get(ready, message, 10s) == Outcome::kDone);
        child.signal(SIGKILL);  // a zombie for now
        REQUIRE(get(ring, message, 10s) == Outcome::kDone);
        CHECK(message == "last words");
        CHECK(get(ring, message, 10s) == Outcome::kPeerLost);
        CHECK(get(ring, message, 1ms) == Outcome::kTimedOut);  // told once
    }
    SUBCASE("a consumer") {
        Child child([&] {
            if (try_get(ring, message) || !ready.try_put({})) _exit(1);
            pause();
        });
        REQUIRE(get(ready, message, 10s) == Outcome::kDone);
        REQUIRE(put(ring, "sixteen letters.", 10s) == Outcome::kDone);
        child.signal(SIGKILL);
        CHECK(put(ring, "no more", 10s) == Outcome::kPeerLost);
    }
    SUBCASE("but not while another one lives") {
        ByteRing other = ByteRing::attach(ring.fd());
        REQUIRE(other.try_put({}));
        REQUIRE(try_get(ring, message));
        {
            Child child([&] {
                if (!ring.try_put(bytes_of("x")) || !ready.try_put({})) _exit(1);
                pause();
            });
            REQUIRE(get(ready, message, 10s) == Outcome::kDone);
        }
        REQUIRE(get(ring, message, 10s) == Outcome::kDone);
        CHECK(get(ring, message, 250ms) == Outcome::kTimedOut);
    }
}

TEST_CASE("a child of a fork does not give back what its parent has") {
    ByteRing ring = ByteRing::create(std::nullopt, 100);
    std::optional<ByteRing::Writing> writing = ring.try_reserve(4);
    Child child([&] {
        bool refused = false;
        try {
            writing->commit(4);
        } catch (const Error&) {
            refused = true;
        }
        writing.reset();
        _exit(refused ? 0 : 1);
    });
    CHECK(child.wait() == 0);
    CHECK_FALSE(ring.try_put(bytes_of("x")));  // the parent still has the side
    std::memcpy(writing->room().data(), "good", 4);
    writing->commit(4);
    std::string message;
    REQUIRE(try_get(ring, message));
    CHECK(message == "good");
}

TEST_CASE("rings that nobody uses are found and removed, and others left alone") {
    const std::string used = unique_name("used");
    const std::string stale = unique_name("stale");
    ByteRing ring = ByteRing::create(used, 100);
    {
        Child child([&] {
            ByteRing made = ByteRing::create(stale, 50);
            raise(SIGKILL);
        });
        child.wait();
    }
    const auto find = [](const std::string& name) {
        for (const SegmentInfo& segment : segments()) {
            if (segment.name == name) return std::optional(segment);
        }
        return std::optional<SegmentInfo>();
    };
    REQUIRE(find(used));
    CHECK(find(used)->in_use);
    REQUIRE(find(stale));
    CHECK_FALSE(find(stale)->in_use);
    CHECK(find(stale)->capacity == 50);
    CHECK(find(stale)->kind == "ByteRing");
    const std::vector<std::string> removed = remove_stale();
    CHECK(std::find(removed.begin(), removed.end(), stale) != removed.end());
    CHECK_FALSE(find(stale));
    CHECK(find(used));
    CHECK(unlink(used));
}
