#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/memory/buffer_pool.hpp"
#include "dwcp/os/machine.hpp"
#include "use_pool.hpp"

using namespace dwcp::memory;

namespace {

const PoolOptions kSmall{.address_space_bytes = std::size_t{256} << 20};

}  // namespace

TEST_CASE("a buffer has at least the bytes asked for, aligned, for each class and beyond") {
    BufferPool pool(kSmall);
    for (std::size_t size_class = 0; size_class < kSizeClasses + 3; ++size_class) {
        for (const std::size_t more : {-1, 0, 1}) {
            const std::size_t size = class_bytes(size_class) + more;
            const Buffer buffer = get(pool, size, 7);
            CHECK(reinterpret_cast<std::uintptr_t>(buffer.data) % 64 == 0);
            CHECK(pool.capacity(buffer.data) >= size);
            if (size <= kLargestClassBytes) {
                CHECK(pool.capacity(buffer.data) == class_bytes(class_of(size)));
            }
            pool.put(buffer.data);
        }
    }
    pool.put(pool.get(0));
}

TEST_CASE("a buffer that was put is the next one of its class") {
    BufferPool pool(kSmall);
    for (const std::size_t size : {1, 1000, 100'000, 1'000'000}) {
        void* const buffer = pool.get(size);
        pool.put(buffer);
        CHECK(pool.get(size) == buffer);
        pool.put(buffer);
    }
}

TEST_CASE("what is not in use is refused, and nothing changes") {
    BufferPool pool(kSmall);
    BufferPool other(kSmall);
    auto* const buffer = static_cast<std::byte*>(pool.get(1000));
    auto* const larger = static_cast<std::byte*>(pool.get(5 << 20));
    void* const of_other = other.get(1000);
    std::byte local[64];
    const PoolStats before = pool.stats();
    for (void* wrong :
         {static_cast<void*>(nullptr), static_cast<void*>(local), of_other,
          static_cast<void*>(buffer + 64), static_cast<void*>(buffer + 1),
          static_cast<void*>(buffer + 1024), static_cast<void*>(larger + 64),
          static_cast<void*>(larger + (4 << 20)), reinterpret_cast<void*>(~std::uintptr_t{63})}) {
        CHECK_THROWS_AS(pool.put(wrong), NotInUse);
        CHECK_THROWS_AS(static_cast<void>(pool.capacity(wrong)), NotInUse);
    }
    CHECK(pool.stats().all.deallocations == before.all.deallocations);
    pool.put(buffer);
    CHECK_THROWS_AS(pool.put(buffer), NotInUse);
    pool.put(larger);
    CHECK_THROWS_AS(pool.put(larger), NotInUse);
    CHECK(pool.stats().all.deallocations == before.all.deallocations + 2);
    CHECK_THROWS_AS(BufferPool(PoolOptions{.limit_bytes = 0}), std::invalid_argument);
}

TEST_CASE("the statistics count what happened") {
    BufferPool pool(kSmall);
    CHECK(pool.stats().all.hit_rate() == 0);
    std::vector<void*> buffers;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 100; ++i) buffers.push_back(pool.get(200));
        for (void* buffer : buffers) pool.put(buffer);
        buffers.clear();
    }
    void* const larger = pool.get((3 << 20) + 1);
    const PoolStats stats = pool.stats();
    const PoolCounts& counts = stats.classes[class_of(200)];
    CHECK(counts.allocations == 300);
    CHECK(counts.deallocations == 300);
    CHECK(counts.misses == 4);  // batches of 32
    CHECK(counts.hits() == 296);
    CHECK(counts.bytes_held == 128 * 256);
    CHECK(counts.bytes_held_max == 128 * 256);
    CHECK(stats.larger.allocations == 1);
    CHECK(stats.larger.bytes_held == (3 << 20) + 4096);
    CHECK(stats.all.allocations == 301);
    CHECK(stats.all.bytes_held == counts.bytes_held + stats.larger.bytes_held);
    pool.put(larger);
    CHECK(pool.stats().larger.deallocations == 1);
    CHECK(pool.stats().larger.bytes_held == stats.larger.bytes_held);
    CHECK(pool.trim() == stats.all.bytes_held);
    CHECK(pool.stats().all.bytes_held == 0);
    CHECK(pool.stats().all.bytes_held_max == stats.all.bytes_held);
}

TEST_CASE("the limit holds, and memory that nobody uses goes to another class within it") {
    BufferPool pool(
        {.limit_bytes = std::size_t{4} << 20, .address_space_bytes = std::size_t{256} << 20});
    std::vector<void*> buffers;
    for (int i = 0; i < 4; ++i) buffers.push_back(pool.get(1 << 20));
    CHECK_THROWS_AS(static_cast<void>(pool.get(1)), PoolExhausted);
    CHECK_THROWS_AS(static_cast<void>(pool.get(2 << 20)), PoolExhausted);
    for (void* buffer : buffers) pool.put(buffer);
    void* const small = pool.get(1);
    pool.put(small);
    CHECK(pool.stats().classes[kSizeClasses - 1].bytes_held == 0);
    void* const larger = pool.get(4 << 20);
    CHECK(pool.stats().all.bytes_held == std::size_t{4} << 20);
    pool.put(larger);
    CHECK_THROWS_AS(static_cast<void>(pool.get((4 << 20) + 1)), PoolExhausted);
}

TEST_CASE("larger buffers are kept up to a bound, and used again") {
    BufferPool pool(
        {.address_space_bytes = std::size_t{256} << 20, .keep_larger_bytes = std::size_t{8} << 20});
    void* const first = pool.get((3 << 20) + 5);
    pool.put(first);
    CHECK_THROWS_AS(pool.put(first), NotInUse);
    CHECK_THROWS_AS(static_cast<void>(pool.capacity(first)), NotInUse);
    CHECK(pool.get(3 << 20) == first);
    CHECK(pool.stats().larger.misses == 1);
    CHECK(pool.capacity(first) == (3 << 20) + 4096);
    std::memset(first, 7, 3 << 20);
    pool.put(first);
    // Cleared where that is wished, though not new.
    CHECK(is_whole({static_cast<unsigned char*>(pool.get_zeros(3 << 20)), 3 << 20, 0}));
    void* const second = pool.get(4 << 20);
    void* const third = pool.get(4 << 20);
    pool.put(first);
    pool.put(second);
    pool.put(third);
    // The first had to go.
    CHECK(pool.stats().larger.bytes_held == std::size_t{8} << 20);
    CHECK_THROWS_AS(pool.put(first), NotInUse);
    CHECK(pool.get(4 << 20) == third);
    CHECK(pool.get((3 << 20) + 1) == second);
    pool.put(second);
    pool.put(third);
    CHECK(pool.trim() == std::size_t{8} << 20);
}

TEST_CASE("more than the addresses that there are is refused") {
    BufferPool pool({.address_space_bytes = std::size_t{8} << 20});
    CHECK_THROWS_AS(static_cast<void>(pool.get(std::size_t{1} << 40)), std::bad_alloc);
    CHECK_THROWS_AS(static_cast<void>(pool.get(~std::size_t{0})), std::bad_alloc);
    std::vector<void*> buffers;
    CHECK_THROWS_AS(for (;;) buffers.push_back(pool.get(1 << 20)), std::bad_alloc);
    CHECK(buffers.size() == 8);
    for (void* buffer : buffers) pool.put(buffer);
    pool.put(pool.get(1 << 20));
}

TEST_CASE("trimming gives back what is not in use, and the rest stays as it is") {
    BufferPool pool(kSmall);
    std::vector<Buffer> buffers;
    for (int i = 0; i < 64; ++i) {
        buffers.push_back(get(pool, 1 << 18, static_cast<unsigned char>(i)));
    }
    CHECK(pool.stats().all.bytes_held == std::size_t{16} << 20);
    for (std::size_t i = 1; i < buffers.size(); ++i) pool.put(buffers[i].data);
    CHECK(pool.trim() == std::size_t{14} << 20);
    CHECK(pool.stats().all.bytes_held == std::size_t{2} << 20);
    CHECK(is_whole(buffers[0]));
    CHECK(pool.trim() == 0);
    pool.put(buffers[0].data);
    CHECK(pool.trim() == std::size_t{2} << 20);
    CHECK(pool.stats().all.bytes_held == 0);
    CHECK_THROWS_AS(pool.put(buffers[0].data), NotInUse);
    CHECK(use(pool, 1, 20'000) == 0);
}

TEST_CASE("buffers are cleared where that is wished") {
    BufferPool pool({.address_space_bytes = std::size_t{64} << 20, .zero = true});
    for (const std::size_t size : {64, 1000, 1 << 20, 3 << 20}) {
        pool.put(get(pool, size, 0xff).data);
        const Buffer again{static_cast<unsigned char*>(pool.get(size)), size, 0};
        CHECK(is_whole(again));
        pool.put(again.data);
    }
}

TEST_CASE("a buffer of a page or more begins a page, and shares none with another") {
    const std::size_t page = dwcp::os::page_bytes();
    BufferPool pool(kSmall);
    std::set<std::uintptr_t> pages;
    std::size_t expected = 0;
    for (std::size_t size = page; size <= std::size_t{8} << 20; size *= 2) {
        for (const std::size_t more : {-1, 0, 1}) {
            if (size + more < page) continue;
            for (int i = 0; i < 3; ++i) {
                const auto address = reinterpret_cast<std::uintptr_t>(pool.get(size + more));
                CHECK(address % page == 0);
                const std::size_t capacity = BufferPool::capacity_for(size + more);
                for (std::size_t at = 0; at < capacity; at += page) {
                    pages.insert((address + at) / page);
                    ++expected;
                }
            }
        }
    }
    // Smaller ones lie elsewhere.
    for (int i = 0; i < 100; ++i) {
        CHECK(!pages.contains(reinterpret_cast<std::uintptr_t>(pool.get(64)) / page));
    }
    CHECK(pages.size() == expected);
}

TEST_CASE("many buffers are got and put at once, all or none") {
    BufferPool pool(
        {.limit_bytes = std::size_t{8} << 20, .address_space_bytes = std::size_t{256} << 20});
    for (const std::size_t size : {100, 5000, 1 << 20, (1 << 20) + 1}) {
        CAPTURE(size);
        const std::size_t most = (std::size_t{8} << 20) / BufferPool::capacity_for(size);
        const std::size_t there = std::min<std::size_t>(most, 200);
        std::vector<void*> buffers(there);
        pool.get_many(size, buffers);
        PoolStats before = pool.stats();
        std::vector<void*> more(most - there + 1);
        CHECK_THROWS_AS(pool.get_many(size, more), PoolExhausted);
        const PoolStats after = pool.stats();
        CHECK(after.all.allocations - after.all.deallocations == there);
        before = after;
        std::vector<void*> wrong = buffers;
        wrong.push_back(buffers[there / 2]);  // twice
        CHECK_THROWS_WITH_AS(pool.put_many(wrong), doctest::Contains("put before"), NotInUse);
        wrong.back() = static_cast<std::byte*>(buffers[0]) + 1;
        CHECK_THROWS_AS(pool.put_many(wrong), NotInUse);
        wrong.back() = &wrong;
        CHECK_THROWS_AS(pool.put_many(wrong), NotInUse);
        CHECK(pool.stats().all.deallocations == before.all.deallocations);
        for (void* buffer : buffers) CHECK(pool.capacity(buffer) >= size);
        pool.put_many(buffers);
        CHECK(pool.stats().all.deallocations == before.all.deallocations + there);
        CHECK_THROWS_AS(pool.put_many(buffers), NotInUse);
        pool.trim();
    }
    pool.get_many(5, {});
    pool.put_many({});
    CHECK(pool.stats().all.bytes_held == 0);
}

TEST_CASE("huge pages are held in whole, and given back in whole") {
    constexpr std::size_t kHuge = std::size_t{2} << 20;
    BufferPool pool({.limit_bytes = 16 * kHuge,
                     .address_space_bytes = std::size_t{256} << 20,
                     .huge_pages = true});
    void* const small = pool.get(64);
    void* const larger = pool.get(kHuge + 1);
    PoolStats stats = pool.stats();
    CHECK(stats.classes[0].bytes_held == kHuge);
    CHECK(stats.larger.bytes_held == 2 * kHuge);
    CHECK(stats.all.bytes_held == 3 * kHuge);
    CHECK(pool.capacity(larger) == BufferPool::capacity_for(kHuge + 1));
    CHECK(pool.huge_bytes() <= stats.all.bytes_held);
    CHECK((pool.huge_bytes() == stats.all.bytes_held) == pool.reason().empty());
    CHECK((pool.huge_bytes() > 0) == (pool.kind() == dwcp::os::PageKind::kTransparent));
    CHECK_THROWS_AS(static_cast<void>(pool.get(13 * kHuge + 1)), PoolExhausted);
    pool.put(small);
    pool.put(larger);
    CHECK(pool.trim() == 3 * kHuge);
    CHECK(pool.huge_bytes() == 0);
    CHECK(pool.stats().all.bytes_held == 0);
    CHECK(use(pool, 1, 20'000) == 0);
}

TEST_CASE("memory lies on the nodes asked for, also when it comes again") {
    for (const int node : dwcp::os::memory_nodes()) {
        BufferPool pool({.address_space_bytes = std::size_t{64} << 20,
                         .placing = dwcp::os::Placing::kBind,
                         .nodes = {node}});
        for (int round = 0; round < 2; ++round) {
            std::vector<void*> buffers;
            for (const std::size_t size : {100, 5000, 1 << 20, 3 << 20}) {
                buffers.push_back(pool.get(size));
                const std::span bytes(static_cast<const std::byte*>(buffers.back()), size);
                const auto found = dwcp::os::nodes_of(bytes);
                REQUIRE(found.size() == 1);
                CHECK(found[0].first == node);
            }
            for (void* buffer : buffers) pool.put(buffer);
            pool.trim();
        }
    }
}

TEST_CASE("nodes that are not there, and limits below a huge page, are refused") {
    using dwcp::os::Placing;
    CHECK_THROWS_WITH_AS(BufferPool({.placing = Placing::kBind, .nodes = {99}}),
                         doctest::Contains("no memory node 99; there are 0"),
                         std::invalid_argument);
    CHECK_THROWS_AS(BufferPool({.placing = Placing::kBind}), std::invalid_argument);
    CHECK_THROWS_AS(BufferPool({.nodes = {0}}), std::invalid_argument);
    CHECK_THROWS_AS(BufferPool({.limit_bytes = 4096, .huge_pages = true}), std::invalid_argument);
}

TEST_CASE("threads never get the same buffer") {
    BufferPool pool({.address_space_bytes = std::size_t{1} << 30});
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] { wrong += use(pool, i + 1, 30'000); });
    }
    for (int i = 0; i < 50; ++i) pool.trim();
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    const PoolStats stats = pool.stats();
    CHECK(stats.all.allocations == stats.all.deallocations);
    pool.trim();
    CHECK(pool.stats().all.bytes_held == 0);  // threads that have ended keep nothing
}

TEST_CASE("a buffer may be put by another thread than got it") {
    constexpr int kBuffers = 50'000;
    BufferPool pool({.address_space_bytes = std::size_t{1} << 30});
    dwcp::lockfree::MpmcQueue<Buffer*> queue(64);
    std::vector<Buffer> buffers(kBuffers);
    int wrong = 0;
    std::thread other([&] {
        Buffer* buffer = nullptr;
        for (int i = 0; i < kBuffers; ++i) {
            while (!queue.try_get(buffer)) std::this_thread::yield();
            wrong += is_whole(*buffer) ? 0 : 1;
            pool.put(buffer->data);
        }
    });
    for (int i = 0; i < kBuffers; ++i) {
        buffers[static_cast<std::size_t>(i)] =
            get(pool, std::size_t{64} << i % 8, static_cast<unsigned char>(i));
        while (!queue.try_put(&buffers[static_cast<std::size_t>(i)])) std::this_thread::yield();
    }
    other.join();
    CHECK(wrong == 0);
    // What the one puts the other gets: in the long run nothing new is made.
    CHECK(pool.stats().all.bytes_held < std::size_t{8} << 20);
}

TEST_CASE("a thread may use more pools than it remembers, and outlive them") {
    std::vector<std::unique_ptr<BufferPool>> pools;
    std::thread([&] {
        for (int i = 0; i < 30; ++i) pools.push_back(std::make_unique<BufferPool>(kSmall));
        for (int round = 0; round < 3; ++round) {
            for (auto& pool : pools) CHECK(use(*pool, 3, 200) == 0);
        }
        for (auto& pool : pools) CHECK(pool->stats().all.misses <= kSizeClasses * 4);
        pools.resize(10);
        BufferPool last(kSmall);
        CHECK(use(last, 3, 200) == 0);
    }).join();
    for (auto& pool : pools) CHECK(use(*pool, 3, 200) == 0);
}
