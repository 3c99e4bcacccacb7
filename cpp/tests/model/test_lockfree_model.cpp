// The lock-free structures under the model checker: every order of steps and every store that a
// load may read, within its bounds. And with mistakes planted in them, which it must find.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "dwcp/lockfree/byte_ring.hpp"
#include "dwcp/lockfree/detail/node_cache.hpp"
#include "dwcp/lockfree/michael_scott_queue.hpp"
#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/lockfree/spsc_slot_ring.hpp"
#include "dwcp/lockfree/stack.hpp"
#include "dwcp/lockfree/waiting.hpp"
#include "lockfree/broken.hpp"
#include "model/faults.hpp"
#include "model/model.hpp"

using namespace dwcp;
using namespace dwcp::lockfree;

namespace {

using Item = model::Value<int>;
using Allocator = std::allocator<Item>;

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

// Four bytes go through a ring for two. The ring writes them to memory that the checker knows
// nothing of: in its place stand two values, which the bytes take turns in.
template <typename Atomics>
model::Result bytes() {
    return model::check({.preemptions = 2}, [](model::Program& program) {
        struct Shared {
            BasicByteRing<Atomics> ring{2};
            Item places[2];
        };
        auto shared = std::make_shared<Shared>();
        program.thread([=] {
            for (int number = 0; number < 4;) {
                const std::span<std::byte> room = shared->ring.reserve(1);
                if (room.empty()) {
                    model::Atomics::pause();
                    continue;
                }
                room[0] = static_cast<std::byte>(number);
                shared->places[number % 2] = Item(number);
                shared->ring.commit(1);
                ++number;
            }
        });
        program.thread([=] {
            for (int number = 0; number < 4;) {
                const std::span<const std::byte> there = shared->ring.readable();
                if (there.empty()) model::Atomics::pause();
                for (const std::byte byte : there) {
                    model::require(byte == static_cast<std::byte>(number), "all, in order");
                    model::require(shared->places[number++ % 2].get() == static_cast<int>(byte),
                                   "known when it is there");
                }
                shared->ring.consume(there.size());
            }
        });
    });
}

// Nodes of a pool go to and fro: a node is one thread's at a time.
template <typename Atomics>
struct Node {
    typename Atomics::template atomic<std::uint32_t> free_next{0};
    typename Atomics::template atomic<std::uint32_t> bundle_next{0};
    Item item;
};
template <typename Atomics, std::size_t kCaches>
model::Result nodes_to_and_fro() {
    constexpr std::uint32_t kBundleNodes = 1;
    using Pool =
        detail::CachedNodePool<Node<Atomics>, Atomics, Allocator, 4, kBundleNodes, kCaches>;
    return model::check({.preemptions = 3}, [](model::Program& program) {
        auto pool = std::make_shared<Pool>(Allocator());
        for (int thread = 1; thread <= 2; ++thread) {
            program.thread([=] {
                const std::uint32_t one = pool->take();
                (*pool)[one].item = Item(thread);
                const std::uint32_t other = pool->take();
                (*pool)[other].item = Item(thread + 2);
                model::require((*pool)[one].item.get() == thread, "nobody else has it");
                pool->give(one);
                pool->give(other);
                const std::uint32_t again = pool->take();
                (*pool)[again].item = Item(thread);
            });
        }
    });
}

// One puts two items, two get one each, and all wait for room and items in a queue for one.
template <typename Waiting>
model::Result waiting(unsigned preemptions) {
    model::Options options;
    options.preemptions = preemptions;
    return model::check(options, [](model::Program& program) {
        using Queue = Blocking<MpmcQueue<Item, model::Atomics>, Waiting>;
        auto queue = std::make_shared<Queue>(std::size_t{1});
        auto sum = std::make_shared<int>(0);
        program.thread([=] {
            for (int number = 1; number <= 2; ++number) {
                model::require(queue->put(Item(number)) == Status::kDone, "put");
            }
        });
        for (int thread = 0; thread < 2; ++thread) {
            program.thread([=] {
                Item item;
                model::require(queue->get(item) == Status::kDone, "got");
                *sum += item.get();
            });
        }
        program.finally([=] { model::require(*sum == 3, "each once"); });
    });
}
// One waits for an item, one for room, and a third one shuts the queue down.
model::Result shut_down() {
    return model::check({.preemptions = 2}, [](model::Program& program) {
        using Queue = Blocking<MpmcQueue<Item, model::Atomics>, model::Waiting>;
        auto empty = std::make_shared<Queue>(std::size_t{1});
        auto full = std::make_shared<Queue>(std::size_t{1});
        model::require(full->try_put(Item(1)), "there is room");
        program.thread([=] {
            Item item;
            model::require(empty->get(item) == Status::kShutDown, "get ends");
        });
        program.thread(
            [=] { model::require(full->put(Item(2)) == Status::kShutDown, "put ends"); });
        program.thread([=] {
            empty->shutdown();
            full->shutdown();
        });
    });
}
template <typename Atomics>
using Nodes = MichaelScottQueue<Item, Atomics, Allocator, 4>;
template <typename Atomics>
using Segments = SegmentedQueue<Item, Atomics, Allocator, 2>;

}  // namespace

TEST_CASE("rings for one producer and one consumer") {
    for (const std::size_t capacity : {1, 2}) {
        model::holds(one_to_one<SpscRing<Item, model::Atomics>>({.preemptions = 8}, capacity));
        model::holds(one_to_one<SpscSlotRing<Item, model::Atomics>>({.preemptions = 8}, capacity));
    }
    model::has_a_race(one_to_one<SpscRing<Item, model::Relaxed>>({}, std::size_t{1}));
    model::has_a_race(one_to_one<SpscSlotRing<Item, model::Relaxed>>({}, std::size_t{1}));
    model::has_a_race(
        one_to_one<testing::IndexFirstRing<Item, model::Atomics>>({}, std::size_t{1}));
}

TEST_CASE("the ring of bytes") {
    model::holds(bytes<model::Atomics>());
    model::has_a_race(bytes<model::Relaxed>());
}

TEST_CASE("the bounded queue") {
    for (const std::size_t capacity : {1, 2}) {
        model::holds(one_to_one<MpmcQueue<Item, model::Atomics>>({.preemptions = 6}, capacity));
        model::holds(two_and_two<MpmcQueue<Item, model::Atomics>>({.preemptions = 6}, capacity));
    }
    model::has_a_race(one_to_one<MpmcQueue<Item, model::Relaxed>>({}, std::size_t{1}));
}

TEST_CASE("the segmented queue") {
    model::holds(one_to_one<Segments<model::Atomics>>({.preemptions = 4}));
    model::holds(two_and_two<Segments<model::Atomics>>({.preemptions = 4}));
    model::has_a_race(one_to_one<Segments<model::Relaxed>>({}));
}

TEST_CASE("the queue of Michael and Scott") {
    model::holds(one_to_one<Nodes<model::Atomics>>({.preemptions = 3}));
    model::holds(two_and_two<Nodes<model::Atomics>>({.preemptions = 3}));
    model::has_a_race(one_to_one<Nodes<model::Relaxed>>({}));
}

TEST_CASE("no wake-up is lost") {
    model::holds(waiting<model::Waiting>(2));
    CHECK(waiting<model::Unfenced>(2).failure == "all threads wait for one another");
    model::holds(shut_down());
}

TEST_CASE("nodes that threads keep for themselves") {
    model::holds(nodes_to_and_fro<model::Atomics, 4>());
    model::holds(nodes_to_and_fro<model::Atomics, 1>());  // one of the two has no cache
    model::has_a_race(nodes_to_and_fro<model::Relaxed, 4>());
}

TEST_CASE("the stack") {
    model::holds(two_and_two<Stack<Item, model::Atomics, Allocator, 4>>({.preemptions = 3}));
    model::holds(put_back<model::Atomics>(2));
    CHECK(put_back<model::Untagged>(3).failure != "");
    model::has_a_race(two_and_two<Stack<Item, model::Relaxed, Allocator, 4>>({}));
}
