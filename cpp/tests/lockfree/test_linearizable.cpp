// Histories of calls that threads made at the same time, and whether one thread could have made
// them.
#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include "dwcp/lockfree/michael_scott_queue.hpp"
#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/shared/byte_ring.hpp"
#include "dwcp/lockfree/shared/mpmc_queue.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/lockfree/spsc_slot_ring.hpp"
#include "dwcp/lockfree/stack.hpp"
#include "lockfree/broken.hpp"
#include "lockfree/linearizability.hpp"

using namespace dwcp::lockfree;
using namespace dwcp::lockfree::testing;

namespace {

// However slow the machine is, a search ends after some seconds; one for a mistake goes on.
constexpr int kRounds = 3'000;
constexpr auto kLongest = std::chrono::seconds(4);
constexpr int kCalls = 5;  // of each thread in a round

// Atomic operations before which another thread often comes in, also where threads share a
// processor.
struct Interrupted : StdAtomics {
    static void come_in() noexcept {
        thread_local std::minstd_rand random(
            static_cast<unsigned>(std::hash<std::thread::id>()(std::this_thread::get_id())));
        if (random() % 8 == 0) std::this_thread::yield();
    }
    static void pause() noexcept { come_in(); }
    template <typename T>
    class atomic {
      public:
        atomic() noexcept = default;
        constexpr atomic(T value) noexcept : value_(value) {}

        T load(std::memory_order order) const noexcept {
            come_in();
            return value_.load(order);
        }
        void store(T value, std::memory_order order) noexcept {
            come_in();
            value_.store(value, order);
        }
        T exchange(T value, std::memory_order order) noexcept {
            come_in();
            return value_.exchange(value, order);
        }
        T fetch_add(T value, std::memory_order order) noexcept {
            come_in();
            return value_.fetch_add(value, order);
        }
        T fetch_sub(T value, std::memory_order order) noexcept {
            come_in();
            return value_.fetch_sub(value, order);
        }
        bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                                   std::memory_order failure) noexcept {
            come_in();
            return value_.compare_exchange_weak(expected, value, success, failure);
        }
        bool compare_exchange_strong(T& expected, T value, std::memory_order success,
                                     std::memory_order failure) noexcept {
            come_in();
            return value_.compare_exchange_strong(expected, value, success, failure);
        }

      private:
        std::atomic<T> value_;
    };
};

using FewNodesQueue = MichaelScottQueue<int, Interrupted, std::allocator<int>, 4>;
using FewNodesStack = Stack<int, Interrupted, std::allocator<int>, 4>;

// What a thread may do in its turn.
enum class Part { kPuts, kGets, kBoth };

// The structures in shared memory with numbers as messages.
template <typename Structure>
struct OfNumbers {
    Structure structure;
    bool try_put(int number) { return structure.try_put(std::as_bytes(std::span(&number, 1))); }
    bool try_get(int& number) {
        auto reading = structure.try_read();
        if (!reading) return false;
        std::memcpy(&number, reading->data().data(), sizeof number);
        reading->consume();
        return true;
    }
};

template <typename Queue>
bool put(Queue& queue, int number) {
    if constexpr (requires { queue.put(number); }) {
        queue.put(number);
        return true;
    } else {
        return queue.try_put(number);
    }
}

template <typename Queue>
void play(Queue& queue, Part part, int first, unsigned seed, std::atomic<std::uint64_t>& clock,
          std::vector<Call>& calls) {
    std::minstd_rand random(seed);
    for (int i = 0; i < kCalls; ++i) {
        Call call;
        call.is_put = part == Part::kPuts || (part == Part::kBoth && random() % 2 == 0);
        call.value = first + i;
        call.begun = clock.fetch_add(1);
        if (call.is_put) {
            call.succeeded = put(queue, call.value);
        } else {
            call.succeeded = queue.try_get(call.value);
        }
        call.ended = clock.fetch_add(1);
        calls.push_back(call);
    }
}

// The round whose history nobody could have made alone, if there is one. A new queue each round.
template <typename Make>
std::optional<int> find_violation(const Make& make, const std::vector<Part>& parts,
                                  const Specification& specification, int rounds = kRounds) {
    auto queue = make();
    std::atomic<std::uint64_t> clock{0};
    std::vector<std::vector<Call>> histories(parts.size());
    std::optional<int> found;
    int round = 0;
    bool is_over = false;
    const auto latest = std::chrono::steady_clock::now() + kLongest;
    // Between two rounds, by one of the threads.
    const auto check = [&]() noexcept {
        std::vector<Call> all;
        for (std::vector<Call>& history : histories) {
            all.insert(all.end(), history.begin(), history.end());
            history.clear();
        }
        if (!History(std::move(all), specification).is_linearizable()) found = round;
        queue = make();
        is_over = found.has_value() || ++round == rounds ||
                  (rounds <= kRounds && std::chrono::steady_clock::now() > latest);
    };
    std::barrier start(static_cast<std::ptrdiff_t>(parts.size()));
    std::barrier end(static_cast<std::ptrdiff_t>(parts.size()), check);
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < parts.size(); ++t) {
        threads.emplace_back([&, t] {
            while (!is_over) {
                start.arrive_and_wait();
                play(*queue, parts[t], static_cast<int>(t + 1) * 100,
                     static_cast<unsigned>(round * 10 + static_cast<int>(t)), clock, histories[t]);
                end.arrive_and_wait();
            }
        });
    }
    threads.clear();
    return found;
}

const std::vector<Part> kOneToOne = {Part::kPuts, Part::kGets};
const std::vector<Part> kAll = {Part::kBoth, Part::kBoth, Part::kBoth};

Call put_call(int value, std::uint64_t begun, std::uint64_t ended, bool succeeded = true) {
    return {true, succeeded, value, begun, ended};
}
Call get_call(int value, std::uint64_t begun, std::uint64_t ended, bool succeeded = true) {
    return {false, succeeded, value, begun, ended};
}
bool linearizable(std::vector<Call> calls, const Specification& specification = {}) {
    return History(std::move(calls), specification).is_linearizable();
}

}  // namespace

TEST_CASE("the check of histories knows good ones from bad ones") {
    CHECK(linearizable({}));
    CHECK(linearizable({put_call(1, 0, 1), get_call(1, 2, 3)}));
    // Calls at the same time may have come in either order, ...
    CHECK(linearizable({put_call(1, 0, 5), put_call(2, 1, 4), get_call(2, 6, 7)}));
    CHECK(linearizable({put_call(1, 0, 9), get_call(1, 1, 2)}));
    // ... others not.
    CHECK_FALSE(linearizable({put_call(1, 0, 1), put_call(2, 2, 3), get_call(2, 4, 5)}));
    CHECK(linearizable({put_call(1, 0, 1), put_call(2, 2, 3), get_call(2, 4, 5)},
                       {.is_stack = true}));
    CHECK_FALSE(linearizable({get_call(1, 0, 1), put_call(1, 2, 3)}));
    CHECK_FALSE(linearizable({put_call(1, 0, 1), get_call(1, 2, 3), get_call(1, 4, 5)}));
    CHECK_FALSE(linearizable({put_call(1, 0, 1), get_call(0, 2, 3, false)}));
    CHECK(linearizable({put_call(1, 0, 1), get_call(0, 2, 3, false)}, {.is_weak = true}));
    CHECK(linearizable({put_call(1, 0, 2), get_call(0, 1, 3, false)}));
    CHECK(linearizable({put_call(1, 0, 1), put_call(2, 2, 3, false)}, {.capacity = 1}));
    CHECK_FALSE(linearizable({put_call(1, 0, 1), put_call(2, 2, 3, false)}, {.capacity = 2}));
    CHECK_FALSE(linearizable({put_call(1, 0, 1), put_call(2, 2, 3)}, {.capacity = 1}));
}

TEST_CASE("rings for one producer and one consumer are linearizable, refusals too") {
    for (const std::size_t capacity : {1, 2, 3}) {
        const Specification specification{.capacity = capacity};
        CHECK_FALSE(
            find_violation([=] { return std::make_unique<SpscRing<int, Interrupted>>(capacity); },
                           kOneToOne, specification));
        CHECK_FALSE(find_violation(
            [=] { return std::make_unique<SpscSlotRing<int, Interrupted>>(capacity); }, kOneToOne,
            specification));
    }
}

TEST_CASE("queues for any number of threads are linearizable, but for refusals of two of them") {
    for (const std::size_t capacity : {1, 2, 3}) {
        CHECK_FALSE(
            find_violation([=] { return std::make_unique<MpmcQueue<int, Interrupted>>(capacity); },
                           kAll, {.capacity = capacity, .is_weak = true}));
    }
    using Segments = SegmentedQueue<int, Interrupted, std::allocator<int>, 4>;
    CHECK_FALSE(
        find_violation([] { return std::make_unique<Segments>(); }, kAll, {.is_weak = true}));
    CHECK_FALSE(find_violation([] { return std::make_unique<FewNodesQueue>(); }, kAll, {}));
}

TEST_CASE("the stack is linearizable") {
    CHECK_FALSE(
        find_violation([] { return std::make_unique<FewNodesStack>(); }, kAll, {.is_stack = true}));
}

TEST_CASE("structures in shared memory are linearizable, but for refusals") {
    for (const std::uint64_t capacity : {1, 2, 3}) {
        const auto queue = [=] {
            using Numbers = OfNumbers<shared::MpmcQueue>;
            return std::make_unique<Numbers>(
                shared::MpmcQueue::create(std::nullopt, capacity, sizeof(int)));
        };
        CHECK_FALSE(
            find_violation(queue, kAll, {.capacity = capacity, .is_weak = true}, kRounds / 10));
    }
    const auto ring = [] {
        using Numbers = OfNumbers<shared::ByteRing>;
        return std::make_unique<Numbers>(shared::ByteRing::create(std::nullopt, 24));
    };
    CHECK_FALSE(find_violation(ring, kAll, {.capacity = 2, .is_weak = true}, kRounds / 10));
}

TEST_CASE("mistakes that were planted are found in histories") {
    // A mistake has to happen to be seen.
    constexpr int kMany = 300'000;
    CHECK(find_violation(
        [] { return std::make_unique<IndexFirstRing<int, Interrupted>>(std::size_t{2}); },
        kOneToOne, {.capacity = 2, .is_weak = true}, kMany));
    CHECK(find_violation(
        [] { return std::make_unique<TwoStepQueue<int, Interrupted>>(std::size_t{8}); }, kAll,
        {.capacity = 8, .is_weak = true}, kMany));
}
