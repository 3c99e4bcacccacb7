// The pool in which threads keep nodes for themselves.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "dwcp/lockfree/detail/node_cache.hpp"

using namespace dwcp::lockfree;

namespace {

struct Node {
    std::atomic<std::uint32_t> free_next{0};
    std::atomic<std::uint32_t> bundle_next{0};
    std::atomic<int> owners{0};
    std::uint64_t plain = 0;  // ThreadSanitizer looks at it
};
template <std::uint32_t kBundleNodes, std::size_t kCaches>
using Pool =
    detail::CachedNodePool<Node, StdAtomics, std::allocator<Node>, 8, kBundleNodes, kCaches>;

// Takes and gives back at random; counts nodes that were somebody else's at the same time.
template <typename AnyPool>
void use(AnyPool& pool, unsigned seed, int steps, std::atomic<int>& wrong) {
    std::minstd_rand random(seed);
    std::vector<std::uint32_t> own;
    for (int step = 0; step < steps; ++step) {
        if (own.empty() || (own.size() < 50 && random() % 2 == 0)) {
            own.push_back(pool.take());
            if (pool[own.back()].owners.fetch_add(1) != 0) ++wrong;
            pool[own.back()].plain = seed;
        } else {
            std::swap(own[random() % own.size()], own.back());
            if (pool[own.back()].plain != seed) ++wrong;
            pool[own.back()].owners.fetch_sub(1);
            pool.give(own.back());
            own.pop_back();
        }
    }
    for (const std::uint32_t index : own) {
        pool[index].owners.fetch_sub(1);
        pool.give(index);
    }
}

template <typename AnyPool>
void used_by_many() {
    AnyPool pool{std::allocator<Node>()};
    std::atomic<int> wrong = 0;
    for (int round = 0; round < 5; ++round) {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < 6; ++i) {
            threads.emplace_back([&, i] { use(pool, i + 1, 5000, wrong); });
        }
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("a node is one thread's at a time, also where bundles are small and caches few") {
    used_by_many<Pool<32, 16>>();
    used_by_many<Pool<1, 16>>();
    used_by_many<Pool<3, 2>>();
    used_by_many<Pool<3, 1>>();
}

TEST_CASE("what a thread gave back it gets again, the last one first") {
    Pool<4, 2> pool{std::allocator<Node>()};
    const std::uint32_t one = pool.take();
    const std::uint32_t other = pool.take();
    pool.give(one);
    pool.give(other);
    CHECK(pool.take() == other);
    CHECK(pool.take() == one);
}

TEST_CASE("nodes that one thread takes and another gives back are taken again") {
    Pool<4, 2> pool{std::allocator<Node>()};
    std::set<std::uint32_t> seen;
    for (int round = 0; round < 200; ++round) {
        std::vector<std::uint32_t> taken;
        for (int i = 0; i < 20; ++i) taken.push_back(pool.take());
        seen.insert(taken.begin(), taken.end());
        std::jthread([&] {
            for (const std::uint32_t index : taken) pool.give(index);
        }).join();
    }
    // Twenty, and as many as threads may keep.
    CHECK(seen.size() <= 40);
}

TEST_CASE("threads that begin after others have ended find no harm in what those left") {
    Pool<4, 4> pool{std::allocator<Node>()};
    std::atomic<int> wrong = 0;
    for (unsigned i = 0; i < 200; ++i) {
        std::jthread([&] { use(pool, i + 1, 200, wrong); }).join();
    }
    CHECK(wrong == 0);
}
