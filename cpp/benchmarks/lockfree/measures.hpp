// How fast a queue is: by one thread, from one thread to another, there and back, and in batches.
// Two threads are tied to two processors.
#pragma once

#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "../processors.hpp"
#include "contest.hpp"
#include "contestants.hpp"

namespace dwcp::bench {

using Clock = std::chrono::steady_clock;

[[noreturn]] inline void wrong(const char* what) {
    std::fprintf(stderr, "bench_queues: %s: the sum of what came out is wrong\n", what);
    std::exit(1);
}

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr Item sum_below(Item count) {
    return count * (count - 1) / 2;
}

// Nanoseconds for one item put and got again by one thread.
template <typename Queue>
double one_thread(Queue& queue) {
    constexpr Item kItems = 300'000;
    Item sum = 0;
    const auto start = Clock::now();
    for (Item i = 0; i < kItems; ++i) {
        Item item = 0;
        static_cast<void>(put(queue, i));
        static_cast<void>(get(queue, item));
        sum += item;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kItems)) wrong("one thread");
    return seconds / kItems * 1e9;
}

// Million items a second from one thread to another.
template <typename Queue>
double throughput(Queue& queue) {
    constexpr Item kItems = 1'000'000;
    std::barrier begin(2);
    std::jthread producer([&] {
        tie_to(1);
        begin.arrive_and_wait();
        for (Item i = 0; i < kItems;) i += put(queue, i) ? 1 : 0;
    });
    Item sum = 0;
    begin.arrive_and_wait();
    const auto start = Clock::now();
    for (Item i = 0; i < kItems;) {
        Item item = 0;
        if (!get(queue, item)) continue;
        sum += item;
        ++i;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kItems)) wrong("throughput");
    return kItems / seconds / 1e6;
}

// Nanoseconds for one item to another thread and back.
template <typename Queue>
double round_trip(Queue& there, Queue& back) {
    constexpr Item kTrips = 50'000;
    std::barrier begin(2);
    std::jthread echo([&] {
        tie_to(1);
        begin.arrive_and_wait();
        for (Item i = 0; i < kTrips; ++i) {
            Item item = 0;
            while (!get(there, item)) {
            }
            while (!put(back, item)) {
            }
        }
    });
    Item sum = 0;
    begin.arrive_and_wait();
    const auto start = Clock::now();
    for (Item i = 0; i < kTrips; ++i) {
        Item item = 0;
        while (!put(there, i)) {
        }
        while (!get(back, item)) {
        }
        sum += item;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kTrips)) wrong("round trip");
    return seconds / kTrips * 1e9;
}

// Million items a second in batches, where there are any.
template <typename Queue, std::size_t kBatch>
double batches(Queue& queue) {
    constexpr Item kItems = 1 << 21;
    const auto put_all = [&](Item first) {
        Item items[kBatch];
        for (std::size_t i = 0; i < kBatch; ++i) items[i] = first + i;
        for (std::size_t done = 0; done < kBatch;) {
            if constexpr (requires { queue.put_many(items, kBatch); }) {
                if constexpr (std::is_void_v<decltype(queue.put_many(items, kBatch))>) {
                    queue.put_many(items, kBatch);
                    done = kBatch;
                } else {
                    done += queue.put_many(items + done, kBatch - done);
                }
            } else if constexpr (requires { queue.push(items, kBatch); }) {
                done += queue.push(items + done, kBatch - done);
            } else if constexpr (requires { queue.enqueue_bulk(items, kBatch); }) {
                done = queue.enqueue_bulk(items, kBatch) ? kBatch : 0;
            }
        }
    };
    const auto get_some = [&](Item* items) -> std::size_t {
        if constexpr (requires { queue.get_many(items, kBatch); }) {
            return queue.get_many(items, kBatch);
        } else if constexpr (requires { queue.pop(items, kBatch); }) {
            return queue.pop(items, kBatch);
        } else if constexpr (requires { queue.try_dequeue_bulk(items, kBatch); }) {
            return queue.try_dequeue_bulk(items, kBatch);
        }
        return 0;
    };
    std::barrier begin(2);
    std::jthread producer([&] {
        tie_to(1);
        begin.arrive_and_wait();
        for (Item i = 0; i < kItems; i += kBatch) put_all(i);
    });
    Item sum = 0;
    Item items[kBatch];
    begin.arrive_and_wait();
    const auto start = Clock::now();
    for (Item i = 0; i < kItems;) {
        const std::size_t count = get_some(items);
        for (std::size_t k = 0; k < count; ++k) sum += items[k];
        i += count;
    }
    const double seconds = seconds_since(start);
    if (sum != sum_below(kItems)) wrong("batches");
    return kItems / seconds / 1e6;
}

template <typename Queue>
concept Batched = requires(Queue& queue, Item* items) { queue.put_many(items, 1); } ||
                  requires(Queue& queue, Item* items) { queue.push(items, 1); } ||
                  requires(Queue& queue, Item* items) { queue.enqueue_bulk(items, 1); };

template <typename Make>
Contestant contestant(std::string name, Make make) {
    using Queue = typename decltype(make())::element_type;
    std::shared_ptr<Queue> queue = make();
    std::shared_ptr<Queue> back = make();
    return {std::move(name),
            [queue, back](Measure measure) -> double {
                if (measure == kOne) return one_thread(*queue);
                if (measure == kThroughput) return throughput(*queue);
                if (measure == kRoundTrip) return round_trip(*queue, *back);
                if constexpr (Batched<Queue>) {
                    if (measure == kBatch8) return batches<Queue, 8>(*queue);
                    if (measure == kBatch32) return batches<Queue, 32>(*queue);
                    return batches<Queue, 256>(*queue);
                }
                return 0;
            },
            {}};
}

#define DWCP_BENCH_ADD(name, type, ...) \
    all.push_back(contestant(name, [=] { return std::make_shared<type>(__VA_ARGS__); }))

}  // namespace dwcp::bench
