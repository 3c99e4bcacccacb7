// Calls that wait: no lost wake-up, timeouts, shutdown.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/waiting.hpp"

using namespace dwcp::lockfree;
using namespace std::chrono_literals;

TEST_CASE("a get that waits is woken by each put, and a put by each get") {
    // One item at a time over a queue for one: every step needs a wake-up, and a lost one hangs.
    Blocking<MpmcQueue<int>> there(std::size_t{1});
    Blocking<MpmcQueue<int>> back(std::size_t{1});
    std::jthread echo([&] {
        int item = 0;
        while (there.get(item) == Status::kDone) REQUIRE(back.put(item) == Status::kDone);
    });
    for (int i = 0; i < 20'000; ++i) {
        REQUIRE(there.put(i) == Status::kDone);
        int item = -1;
        REQUIRE(back.get(item) == Status::kDone);
        REQUIRE(item == i);
    }
    there.shutdown();
}

TEST_CASE("several waiting threads share what is put") {
    Blocking<SegmentedQueue<int>> queue;
    std::atomic<int> sum = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            int item = 0;
            while (queue.get(item) == Status::kDone) sum += item;
        });
    }
    for (int i = 1; i <= 1000; ++i) REQUIRE(queue.put(i) == Status::kDone);
    queue.shutdown();  // what is there is still got
    threads.clear();
    CHECK(sum == 500'500);
}

TEST_CASE("timeouts are kept and leave the queue as it was") {
    Blocking<MpmcQueue<int>> queue(std::size_t{1});
    int item = 5;
    const auto before = std::chrono::steady_clock::now();
    CHECK(queue.get(item, 20ms) == Status::kTimedOut);
    CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    CHECK(item == 5);
    CHECK(queue.get(item, 0ns) == Status::kTimedOut);
    CHECK(queue.get(item, -1s) == Status::kTimedOut);
    REQUIRE(queue.put(1, 0ns) == Status::kDone);
    CHECK(queue.put(2, 1ms) == Status::kTimedOut);
    CHECK(queue.get(item, std::chrono::nanoseconds::max()) == Status::kDone);
    CHECK(item == 1);
}

TEST_CASE("shutdown wakes all and refuses what comes later") {
    Blocking<MpmcQueue<int>> empty(std::size_t{1});
    Blocking<MpmcQueue<int>> full(std::size_t{1});
    REQUIRE(full.try_put(1));
    std::atomic<int> woken = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            int item = 0;
            woken += empty.get(item) == Status::kShutDown;
        });
        threads.emplace_back([&] { woken += full.put(2) == Status::kShutDown; });
    }
    empty.shutdown();
    full.shutdown();
    threads.clear();
    CHECK(woken == 4);
    CHECK_FALSE(full.try_put(3));
    int item = 0;
    CHECK(full.get(item) == Status::kDone);
    CHECK(item == 1);
    CHECK(full.get(item) == Status::kShutDown);

    Blocking<MpmcQueue<int>> dropped(std::size_t{4});
    REQUIRE(dropped.try_put(1));
    dropped.shutdown(true);
    CHECK(dropped.get(item) == Status::kShutDown);
}
