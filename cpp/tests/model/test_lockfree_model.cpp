// The lock-free structures under the model checker: every order of steps and every store that a
// load may read, within its bounds. And with mistakes planted in them, which it must find.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "dwcp/lockfree/michael_scott_queue.hpp"
#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/lockfree/spsc_slot_ring.hpp"
#include "dwcp/lockfree/stack.hpp"
#include "lockfree/broken.hpp"
#include "model/model.hpp"

using namespace dwcp;
using namespace dwcp::lockfree;

namespace {

using Item = model::Value<int>;
using Allocator = std::allocator<Item>;

// Publishes without an order.
struct Relaxed : model::Atomics {
    template <typename T>
    class atomic : public model::Atomic<T> {
      public:
        using model::Atomic<T>::Atomic;
        void store(T value, std::memory_order) noexcept {
            model::Atomic<T>::store(value, std::memory_order_relaxed);
        }
        bool compare_exchange_weak(T& expected, T value, std::memory_order,
                                   std::memory_order failure) noexcept {
            return model::Atomic<T>::compare_exchange_weak(expected, value,
                                                           std::memory_order_relaxed, failure);
        }
        bool compare_exchange_strong(T& expected, T value, std::memory_order,
                                     std::memory_order failure) noexcept {
            return model::Atomic<T>::compare_exchange_strong(expected, value,
                                                             std::memory_order_relaxed, failure);
        }
    };
};

// Forgets the tags beside numbers of nodes: what changed and changed back is taken for unchanged.
struct Untagged : model::Atomics {
    template <typename T>
    class atomic : public model::Atomic<T> {
      public:
        using model::Atomic<T>::Atomic;
        bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                                   std::memory_order failure) noexcept {
            if constexpr (std::is_same_v<T, std::uint64_t>) value &= 0xffff'ffff;
            return model::Atomic<T>::compare_exchange_weak(expected, value, success, failure);
        }
    };
};

template <typename Queue>
bool put(Queue& queue, int number) {
    if constexpr (requires { queue.put(Item(number)); }) {
        queue.put(Item(number));
        return true;
    } else {
        return queue.try_put(Item(number));
    }
}

// One thread puts two numbers, another one tries to get three times: a prefix comes, in order.
template <typename Queue, typename... Arguments>
model::Result one_to_one(const model::Options& options, Arguments... arguments) {
    return model::check(options, [=](model::Program& program) {
        auto queue = std::make_shared<Queue>(arguments...);
        auto sent = std::make_shared<int>(0);
        auto got = std::make_shared<std::vector<int>>();
        program.thread([=] {
            for (int number = 1; number <= 2 && put(*queue, number); ++number) *sent = number;
        });
        program.thread([=] {
            Item item;
            for (int i = 0; i < 3; ++i) {
                if (queue->try_get(item)) got->push_back(item.get());
            }
        });
        program.finally([=] {
            Item item;
            while (queue->try_get(item)) got->push_back(item.get());
            std::vector<int> all;
            for (int number = 1; number <= *sent; ++number) all.push_back(number);
            model::require(*got == all, "all come, in order");
        });
    });
}

// Two threads each put a number and then get one.
template <typename Queue, typename... Arguments>
model::Result two_and_two(const model::Options& options, Arguments... arguments) {
    return model::check(options, [=](model::Program& program) {
        auto queue = std::make_shared<Queue>(arguments...);
        auto got = std::make_shared<std::vector<int>>();
        auto sent = std::make_shared<std::vector<int>>();
        for (int thread = 1; thread <= 2; ++thread) {
            program.thread([=] {
                if (put(*queue, thread)) sent->push_back(thread);
                Item item;
                if (queue->try_get(item)) got->push_back(item.get());
            });
        }
        program.finally([=] {
            Item item;
            while (queue->try_get(item)) got->push_back(item.get());
            std::sort(got->begin(), got->end());
            std::sort(sent->begin(), sent->end());
            model::require(*got == *sent, "nothing is lost and nothing comes twice");
        });
    });
}

// A top is taken and put back while the node below it is in another thread's hands: a thread that
// saw the first top must notice, or it puts that node on top.
template <typename Atomics>
model::Result put_back(unsigned preemptions) {
    model::Options options;
    options.preemptions = preemptions;
    return model::check(options, [](model::Program& program) {
        auto stack = std::make_shared<Stack<Item, Atomics, Allocator, 4>>();
        auto got = std::make_shared<std::vector<int>>();
        for (int number = 1; number <= 3; ++number) stack->put(Item(number));
        const auto take = [=] {
            Item item;
            if (stack->try_get(item)) got->push_back(item.get());
        };
        program.thread(take);
        program.thread([=] {
            take();
            stack->put(Item(4));
        });
        program.thread(take);
        program.finally([=] {
            for (int i = 0; i < 5; ++i) take();
            std::sort(got->begin(), got->end());
            model::require(*got == std::vector<int>{1, 2, 3, 4}, "each comes once");
        });
    });
}

void holds(const model::Result& result) {
    CHECK(result.failure == "");
    CHECK(result.runs > 20);
}

void has_a_race(const model::Result& result) {
    CHECK(result.failure.substr(0, 9) == "data race");
}

template <typename Atomics>
using Nodes = MichaelScottQueue<Item, Atomics, Allocator, 4>;
template <typename Atomics>
using Segments = SegmentedQueue<Item, Atomics, Allocator, 2>;

}  // namespace

TEST_CASE("rings for one producer and one consumer") {
    for (const std::size_t capacity : {1, 2}) {
        holds(one_to_one<SpscRing<Item, model::Atomics>>({.preemptions = 4}, capacity));
        holds(one_to_one<SpscSlotRing<Item, model::Atomics>>({.preemptions = 4}, capacity));
    }
    has_a_race(one_to_one<SpscRing<Item, Relaxed>>({}, std::size_t{1}));
    has_a_race(one_to_one<SpscSlotRing<Item, Relaxed>>({}, std::size_t{1}));
    has_a_race(one_to_one<testing::IndexFirstRing<Item, model::Atomics>>({}, std::size_t{1}));
}

TEST_CASE("the bounded queue") {
    for (const std::size_t capacity : {1, 2}) {
        holds(one_to_one<MpmcQueue<Item, model::Atomics>>({.preemptions = 3}, capacity));
        holds(two_and_two<MpmcQueue<Item, model::Atomics>>({.preemptions = 3}, capacity));
    }
    has_a_race(one_to_one<MpmcQueue<Item, Relaxed>>({}, std::size_t{1}));
}

TEST_CASE("the segmented queue") {
    holds(one_to_one<Segments<model::Atomics>>({.preemptions = 2}));
    holds(two_and_two<Segments<model::Atomics>>({.preemptions = 2}));
    has_a_race(one_to_one<Segments<Relaxed>>({}));
}

TEST_CASE("the queue of Michael and Scott") {
    holds(one_to_one<Nodes<model::Atomics>>({.preemptions = 2}));
    holds(two_and_two<Nodes<model::Atomics>>({.preemptions = 2}));
    has_a_race(one_to_one<Nodes<Relaxed>>({}));
}

TEST_CASE("the stack") {
    holds(two_and_two<Stack<Item, model::Atomics, Allocator, 4>>({.preemptions = 3}));
    holds(put_back<model::Atomics>(2));
    CHECK(put_back<Untagged>(3).failure != "");
    has_a_race(two_and_two<Stack<Item, Relaxed, Allocator, 4>>({}));
}
