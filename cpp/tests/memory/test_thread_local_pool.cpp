#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "dwcp/memory/thread_local_pool.hpp"
#include "dwcp/os/machine.hpp"
#include "use_pool.hpp"

using namespace dwcp::memory;

TEST_CASE("buffers of each size are aligned, and share no page from one page on") {
    const std::size_t page = dwcp::os::page_bytes();
    for (const std::size_t size :
         {1, 63, 64, 65, 1000, 4095, 4096, 4097, 100'000, 1 << 20, (5 << 20) + 1}) {
        CAPTURE(size);
        ThreadLocalPool pool(size, {.address_space_bytes = kAddressBytes});
        CHECK(pool.size() == size);
        CHECK(pool.capacity() >= size);
        std::vector<Buffer> buffers;
        std::set<std::uintptr_t> pages;
        std::size_t pages_of_each = 0;
        for (int i = 0; i < 10; ++i) {
            buffers.push_back(get_object(pool, pool.capacity(), static_cast<unsigned char>(i)));
            const auto address = reinterpret_cast<std::uintptr_t>(buffers.back().data);
            CHECK(address % 64 == 0);
            if (size < page) continue;
            CHECK(address % page == 0);
            pages_of_each += pool.capacity() / page;
            for (std::size_t at = 0; at < size; at += page) pages.insert((address + at) / page);
        }
        CHECK(pages.size() == pages_of_each);
        CHECK(std::all_of(buffers.begin(), buffers.end(), is_whole));
        for (const Buffer& buffer : buffers) pool.put(buffer.data);
        CHECK(pool.trim() == pool.stats().bytes_held_max);
        CHECK(use_objects(pool, size, 1, 300) == 0);
    }
}

TEST_CASE("a thread keeps as many as it may, and the others get what is more") {
    for (const std::uint32_t number : {1, 2, 3, 8, 255}) {
        CAPTURE(number);
        ThreadLocalPool pool(64,
                             {.buffers_per_thread = number, .address_space_bytes = kAddressBytes});
        CHECK(pool.buffers_per_thread() == number);
        std::vector<void*> buffers(1000);
        pool.get_many(buffers);
        pool.put_many(buffers);
        const std::uint64_t misses = pool.stats().misses;
        std::thread([&] {
            std::vector<void*> others(1000 - number);
            pool.get_many(others);
            CHECK(pool.stats().misses == misses);
            // The rest is what the first thread keeps.
            std::vector<void*> more(number + std::uint32_t{256});
            pool.get_many(more);
            CHECK(pool.stats().misses > misses);
            pool.put_many(others);
            pool.put_many(more);
        }).join();
        CHECK(pool.stats().allocations == pool.stats().deallocations);
    }
}

TEST_CASE("what a thread puts it gets again, whoever got it first") {
    ThreadLocalPool pool(1000, {.address_space_bytes = kAddressBytes});
    void* const own = pool.get();
    pool.put(own);
    CHECK(pool.get() == own);
    void* others = nullptr;
    std::thread([&] { others = pool.get(); }).join();
    pool.put(others);
    CHECK(pool.get() == others);
    std::thread([&] { CHECK(pool.get() != own); }).join();
}

TEST_CASE("the buffers of a thread that has ended are there for others") {
    ThreadLocalPool pool(4096, {.buffers_per_thread = 16, .address_space_bytes = kAddressBytes});
    std::thread([&] {
        std::vector<void*> buffers(16);
        pool.get_many(buffers);
        pool.put_many(buffers);
    }).join();
    const PoolCounts before = pool.stats();
    std::vector<void*> buffers(16);
    pool.get_many(buffers);
    CHECK(pool.stats().misses == before.misses);
    CHECK(pool.stats().allocations == before.allocations + 16);
}

TEST_CASE("wrong numbers of a thread-local pool are refused, and the bounds named") {
    CHECK_THROWS_WITH_AS(ThreadLocalPool(0), "size must be 1 to 1073741824 bytes, but is 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(ThreadLocalPool(~std::size_t{0}), std::invalid_argument);
    CHECK_THROWS_WITH_AS(ThreadLocalPool(64, {.buffers_per_thread = 256}),
                         "buffers_per_thread must be 1 to 255, but is 256", std::invalid_argument);
    CHECK_THROWS_WITH_AS(ThreadLocalPool(4096, {.buffers_per_thread = 8, .limit_bytes = 16383}),
                         "limit_bytes of a thread-local pool must be 16384 or more, but is 16383",
                         std::invalid_argument);
}

TEST_CASE("what is no buffer in use is refused, and the limit holds") {
    ThreadLocalPool pool(
        4096,
        {.buffers_per_thread = 8, .limit_bytes = 5 * 16384, .address_space_bytes = kAddressBytes});
    ThreadLocalPool other(4096, {.address_space_bytes = kAddressBytes});
    std::vector<void*> buffers(20);
    pool.get_many(buffers);
    CHECK_THROWS_WITH_AS(static_cast<void>(pool.get()),
                         "the thread-local pool has reached its limit of bytes held",
                         PoolExhausted);
    CHECK_THROWS_AS(other.put(buffers[0]), NotInUse);
    CHECK_THROWS_AS(pool.put(static_cast<std::byte*>(buffers[0]) + 64), NotInUse);
    pool.put(buffers[0]);
    CHECK_THROWS_WITH_AS(pool.put(buffers[0]),
                         "what is put into this thread-local pool was put before", NotInUse);
    CHECK_THROWS_AS(pool.put_many(buffers), NotInUse);
    CHECK(pool.stats().deallocations == 1);
    pool.put_many(std::span(buffers).subspan(1));
    CHECK(pool.trim() == 5 * 16384);
}

TEST_CASE("threads never get the same buffer of a thread-local pool") {
    for (const std::uint32_t number : {1, 3, 64}) {
        ThreadLocalPool pool(200,
                             {.buffers_per_thread = number, .address_space_bytes = kAddressBytes});
        std::atomic<int> wrong{0};
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 4; ++i) {
            threads.emplace_back([&, i] { wrong += use_objects(pool, 200, i + 1, 10'000); });
        }
        for (int i = 0; i < 20; ++i) pool.trim();
        for (std::thread& thread : threads) thread.join();
        CHECK(wrong == 0);
        pool.trim();
        CHECK(pool.stats().bytes_held == 0);
    }
}

TEST_CASE("a thread may use more pools of one size than it remembers, and outlive them") {
    std::vector<std::unique_ptr<ThreadLocalPool>> pools;
    std::thread([&] {
        for (int i = 0; i < 30; ++i)
            pools.push_back(std::make_unique<ThreadLocalPool>(
                100, ThreadLocalPoolOptions{.address_space_bytes = kAddressBytes}));
        for (int round = 0; round < 3; ++round) {
            for (auto& pool : pools) CHECK(use_objects(*pool, 100, 3, 200) == 0);
        }
        pools.resize(10);
    }).join();
    for (auto& pool : pools) CHECK(use_objects(*pool, 100, 3, 200) == 0);
}
