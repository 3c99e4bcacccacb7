#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "dwcp/lockfree/shared/byte_ring.hpp"
#include "dwcp/lockfree/shared/mpmc_queue.hpp"
#include "lockfree/shared/helpers.hpp"
#include "lockfree/shared/queue_state.hpp"

using namespace dwcp;
using namespace dwcp::lockfree::shared;
using namespace dwcp::lockfree::shared::test;
using namespace std::chrono_literals;

namespace {

std::string next(MpmcQueue& queue) {
    std::string message;
    return try_get(queue, message) ? message : "nothing";
}

}  // namespace

TEST_CASE("a queue holds as many messages as it says, of all sizes, in their order") {
    for (const std::uint64_t capacity : {1, 2, 3, 8, 13}) {
        MpmcQueue queue = MpmcQueue::create(std::nullopt, capacity, 100);
        CHECK(queue.capacity() == capacity);
        CHECK(queue.slot_bytes() == 100);
        std::deque<std::string> expected;
        std::mt19937 random(static_cast<unsigned>(capacity));
        for (int i = 0; i < 3000; ++i) {
            if (random() % 2 == 0) {
                const std::string message(random() % 101, static_cast<char>('a' + i % 26));
                REQUIRE(queue.has_room(100) == (expected.size() < capacity));
                REQUIRE(queue.try_put(bytes_of(message)) == (expected.size() < capacity));
                if (expected.size() < capacity) expected.push_back(message);
            } else {
                std::string message;
                REQUIRE(queue.has_message() == !expected.empty());
                REQUIRE(try_get(queue, message) == !expected.empty());
                if (expected.empty()) continue;
                REQUIRE(message == expected.front());
                expected.pop_front();
            }
            REQUIRE(queue.messages() == expected.size());
            REQUIRE(queue.empty() == expected.empty());
        }
    }
}

TEST_CASE("several messages are written and read in their place at once") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 4, 10);
    std::optional<MpmcQueue::Writing> first = queue.try_reserve(5);
    std::optional<MpmcQueue::Writing> second = queue.try_reserve(6);
    REQUIRE(first);
    REQUIRE(second);
    std::memcpy(second->room().data(), "second", 6);
    second->commit(6);
    CHECK(next(queue) == "nothing");  // the first one may still come
    std::memcpy(first->room().data(), "first", 5);
    CHECK_THROWS_AS(first->commit(6), std::invalid_argument);
    first->commit(5);
    std::optional<MpmcQueue::Reading> reading = queue.try_read();
    std::optional<MpmcQueue::Reading> other = queue.try_read();
    REQUIRE(reading);
    REQUIRE(other);
    CHECK(std::memcmp(reading->data().data(), "first", 5) == 0);
    CHECK(std::memcmp(other->data().data(), "second", 6) == 0);
    other->consume();
    CHECK(queue.messages() == 1);
    reading->consume();
    CHECK(queue.empty());
}

TEST_CASE("what is dropped is passed over, and what is not consumed comes back") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 2, 10);
    for (int round = 0; round < 5; ++round) {
        static_cast<void>(queue.try_reserve(3));  // dropped
        CHECK(queue.empty());
        REQUIRE(queue.try_put(bytes_of("a")));
        static_cast<void>(queue.try_read());  // not consumed
        CHECK(queue.messages() == 1);
        {
            std::optional<MpmcQueue::Reading> held = queue.try_read();
            REQUIRE(queue.try_put(bytes_of("b")));
            CHECK(next(queue) == "b");
            CHECK_FALSE(queue.has_message());
        }
        CHECK(queue.has_message());
        CHECK(next(queue) == "a");
        CHECK(next(queue) == "nothing");
    }
}

TEST_CASE("a message that is being read holds up nobody until the producers come round to it") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 3, 10);
    REQUIRE(queue.try_put(bytes_of("held")));
    std::optional<MpmcQueue::Reading> held = queue.try_read();
    for (int i = 0; i < 2; ++i) {
        REQUIRE(queue.try_put(bytes_of("x")));
        CHECK(next(queue) == "x");
    }
    CHECK_FALSE(queue.try_put(bytes_of("x")));
    CHECK(queue.messages() == 1);
    held->consume();
    held.reset();
    for (int i = 0; i < 10; ++i) {
        REQUIRE(queue.try_put(bytes_of("y")));
        CHECK(next(queue) == "y");
    }
}

TEST_CASE("sizes, names and files of another kind are refused") {
    CHECK_THROWS_AS(MpmcQueue::create(std::nullopt, 0, 1), std::invalid_argument);
    CHECK_THROWS_AS(MpmcQueue::create(std::nullopt, 1, 0), std::invalid_argument);
    CHECK_THROWS_AS(MpmcQueue::create(std::nullopt, (std::uint64_t{1} << 32) + 1, 1),
                    std::invalid_argument);
    CHECK_THROWS_AS(MpmcQueue::create(std::nullopt, std::uint64_t{1} << 32, std::uint64_t{1} << 40),
                    std::invalid_argument);
    CHECK_THROWS_AS(MpmcQueue::create("a/b", 1, 1), std::invalid_argument);
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 1, 5);
    CHECK_THROWS_WITH_AS(static_cast<void>(queue.try_put(bytes_of("longer"))),
                         "a message must have at most 5 bytes, slot_bytes, but has 6",
                         std::invalid_argument);
    CHECK_THROWS_AS(ByteRing::attach(queue.fd()), CorruptSegment);
    ByteRing ring = ByteRing::create(std::nullopt, 5);
    CHECK_THROWS_AS(MpmcQueue::attach(ring.fd()), CorruptSegment);
}

TEST_CASE("whatever another process writes into the memory, calls return and stay inside it") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 3, 20);
    os::SharedFile file = os::SharedFile::duplicate(queue.fd());
    const SegmentSizes sizes = check_segment(file, kMpmcQueue);
    const os::SharedMapping header_mapping(file.fd(), sizes.header_bytes);
    const os::SharedMapping slots(file.fd(), sizes.data_bytes, sizes.header_bytes);
    auto& header = *static_cast<QueueHeader*>(header_mapping.data());
    auto* const words = static_cast<std::uint64_t*>(slots.data());
    const std::uint64_t wrong[] = {0,
                                   1,
                                   0x100,
                                   0x1ff,
                                   7 << 8,
                                   std::uint64_t{1} << 40,
                                   ~std::uint64_t{0},
                                   std::numeric_limits<std::int64_t>::max()};
    std::mt19937 random(1);
    int corrupt = 0;
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t value = wrong[random() % std::size(wrong)];
        switch (random() % 4) {
            case 0:
                header.slots.tail = value;
                break;
            case 1:
                header.slots.head = value;
                break;
            case 2:
                header.slots.returned = value;
                break;
            default:
                // One slot has 64 bytes: its state and its length first.
                words[random() % 3 * 8 + random() % 2] = value;
        }
        try {
            static_cast<void>(queue.try_put(bytes_of("message")));
            std::string message;
            if (try_get(queue, message)) REQUIRE(message.size() <= 20);
        } catch (const CorruptSegment&) {
            ++corrupt;
        }
    }
    CHECK(corrupt > 0);
}

TEST_CASE("threads on both sides of a queue lose nothing, and each producer's stay in order") {
    for (const std::uint64_t capacity : {1, 3, 64}) {
        MpmcQueue queue = MpmcQueue::create(std::nullopt, capacity, 20);
        constexpr int kProducers = 3;
        constexpr int kEach = 3000;
        std::atomic<int> left = kProducers * kEach;
        std::vector<std::vector<int>> got(2);
        std::vector<std::jthread> threads;
        for (int p = 0; p < kProducers; ++p) {
            threads.emplace_back([&, p] {
                for (int i = 0; i < kEach; ++i) {
                    REQUIRE(put(queue, std::to_string(p * kEach + i)) == Outcome::kDone);
                }
            });
        }
        for (std::vector<int>& mine : got) {
            threads.emplace_back([&] {
                std::string message;
                while (get(queue, message, std::nullopt) == Outcome::kDone) {
                    mine.push_back(std::stoi(message));
                    if (--left == 0) queue.shutdown();
                }
            });
        }
        threads.clear();
        std::vector<int> all;
        for (const std::vector<int>& mine : got) {
            std::vector<int> last(kProducers, -1);
            for (const int number : mine) {
                int& before = last[static_cast<std::size_t>(number / kEach)];
                REQUIRE(number > before);
                before = number;
            }
            all.insert(all.end(), mine.begin(), mine.end());
        }
        std::sort(all.begin(), all.end());
        REQUIRE(all.size() == std::size_t{kProducers * kEach});
        for (int i = 0; i < kProducers * kEach; ++i) REQUIRE(all[static_cast<std::size_t>(i)] == i);
    }
}

TEST_CASE("a child process and its parent pass on messages by queues, both waiting") {
    MpmcQueue there = MpmcQueue::create(std::nullopt, 1, 16);
    MpmcQueue back = MpmcQueue::create(std::nullopt, 2, 16);
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

TEST_CASE("what a process that was killed had in hand is put right by those who wait") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 4, 20);
    ByteRing ready = ByteRing::create(std::nullopt, 8);
    REQUIRE(queue.try_put(bytes_of("being read")));
    std::string message;
    {
        Child child([&] {
            const std::optional<MpmcQueue::Reading> reading = queue.try_read();
            const std::optional<MpmcQueue::Writing> writing = queue.try_reserve(20);
            std::memset(writing->room().data(), 'x', 20);
            if (!queue.try_put(bytes_of("behind it")) || !ready.try_put({})) _exit(1);
            pause();
        });
        REQUIRE(get(ready, message, 10s) == Outcome::kDone);
        CHECK(get(queue, message, 1ms) == Outcome::kTimedOut);  // it lives
        child.kill_and_wait();
    }
    REQUIRE(get(queue, message, 10s) == Outcome::kDone);
    CHECK(message == "being read");
    REQUIRE(get(queue, message, 10s) == Outcome::kDone);
    CHECK(message == "behind it");
    CHECK(queue.empty());
    for (int i = 0; i < 4; ++i) REQUIRE(queue.try_put(bytes_of("full again")));
    CHECK_FALSE(queue.try_put(bytes_of("no")));
}

TEST_CASE("those who never wait get past what a dead process had in hand, too") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 1, 20);
    Child child([&] {
        const std::optional<MpmcQueue::Writing> writing = queue.try_reserve(20);
        raise(SIGKILL);
    });
    child.wait();
    const auto until = std::chrono::steady_clock::now() + 10s;
    bool put = false;
    while (!put && std::chrono::steady_clock::now() < until) put = queue.try_put(bytes_of("x"));
    CHECK(put);
    CHECK(next(queue) == "x");
}

TEST_CASE("those who wait for a queue are told when the last one of the other side has died") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 1, 16);
    ByteRing ready = ByteRing::create(std::nullopt, 8);
    std::string message;
    Child child([&] {
        if (!queue.try_put(bytes_of("last words")) || !ready.try_put({})) _exit(1);
        pause();
    });
    REQUIRE(get(ready, message, 10s) == Outcome::kDone);
    REQUIRE(get(queue, message, 10s) == Outcome::kDone);
    CHECK(message == "last words");
    // All threads that wait are told.
    std::vector<std::jthread> threads;
    std::atomic<int> waiting = 0;
    std::atomic<int> told = 0;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            bool first = true;
            const auto attempt = [&] {
                if (std::exchange(first, false)) ++waiting;
                return false;
            };
            const auto deadline = std::chrono::steady_clock::now() + 10s;
            if (queue.wait_for_message(attempt, deadline, [] {}) == Outcome::kPeerLost) ++told;
        });
    }
    while (waiting < 3) std::this_thread::yield();
    child.signal(SIGKILL);
    threads.clear();
    CHECK(told == 3);
}

TEST_CASE("a child of a fork does not give back what its parent has of a queue") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 2, 10);
    std::optional<MpmcQueue::Writing> writing = queue.try_reserve(4);
    Child child([&] {
        bool refused = false;
        static_cast<void>(queue.try_read());  // joins
        try {
            writing->commit(4);
        } catch (const Error&) {
            refused = true;
        }
        writing.reset();
        _exit(refused ? 0 : 1);
    });
    CHECK(child.wait() == 0);
    std::memcpy(writing->room().data(), "good", 4);
    writing->commit(4);
    CHECK(next(queue) == "good");
}

TEST_CASE("a handle that has a message in hand does not leave") {
    MpmcQueue queue = MpmcQueue::create(std::nullopt, 2, 10);
    REQUIRE(queue.try_put(bytes_of("x")));
    {
        std::optional<MpmcQueue::Reading> reading = queue.try_read();
        queue.leave();
        reading->consume();
    }
    CHECK(queue.empty());
    queue.leave();
    queue.leave();
    REQUIRE(queue.try_put(bytes_of("again")));
}
