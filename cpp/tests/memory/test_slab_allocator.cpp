#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/memory/slab_allocator.hpp"
#include "dwcp/os/machine.hpp"
#include "use_pool.hpp"

using namespace dwcp::memory;

namespace {

constexpr std::size_t kPage = 4096;

std::size_t slab_bytes(const SlabAllocator& slabs) {
    const std::size_t page = dwcp::os::page_bytes();
    return (slabs.stride() * slabs.objects_per_slab() + page - 1) / page * page;
}

// Whether none overlaps another.
bool are_apart(std::vector<Buffer> buffers) {
    std::sort(buffers.begin(), buffers.end(),
              [](const Buffer& a, const Buffer& b) { return a.data < b.data; });
    return std::adjacent_find(buffers.begin(), buffers.end(), [](const auto& a, const auto& b) {
               return a.data + a.size > b.data;
           }) == buffers.end();
}

}  // namespace

TEST_CASE("objects of each size are apart, aligned, and whole, from the first one on") {
    for (const std::size_t size : {1,  2,   7,   8,   9,    24,   40,   63,   64,     65,
                                   72, 100, 127, 128, 1000, 4095, 4096, 4097, 65'536, 1 << 20}) {
        for (const std::size_t per_slab : {1, 2, 3, 31, 32, 33, 100}) {
            CAPTURE(size);
            CAPTURE(per_slab);
            SlabAllocator slabs(size, per_slab, {.address_space_bytes = kAddressBytes});
            const std::size_t count = size < 60'000 ? 2 * per_slab + 70 : per_slab / 8 + 5;
            std::vector<Buffer> objects;
            for (std::size_t i = 0; i < count; ++i) {
                objects.push_back(get_object(slabs, size, static_cast<unsigned char>(i)));
                const auto address = reinterpret_cast<std::uintptr_t>(objects.back().data);
                const std::size_t power = slabs.stride() & (~slabs.stride() + 1);
                CHECK(address % std::min(power, kPage) == 0);
            }
            CHECK(slabs.stride() >= size);
            CHECK(slabs.stride() < size + 8);
            CHECK(std::all_of(objects.begin(), objects.end(), is_whole));
            CHECK(are_apart(objects));
            // No more slabs than that many objects take.
            CHECK(slabs.stats().slabs == (count + per_slab - 1) / per_slab);
            CHECK(slabs.stats().bytes_held == slabs.stats().slabs * slab_bytes(slabs));
            for (const Buffer& object : objects) slabs.put(object.data);
            CHECK(slabs.trim() == slabs.stats().bytes_held_max);
            CHECK(slabs.stats().bytes_held == 0);
            CHECK(use_objects(slabs, size, 1, 300) == 0);
        }
    }
}

TEST_CASE("an object that was put is the next one") {
    SlabAllocator slabs(24, 100, {.address_space_bytes = kAddressBytes});
    void* const object = slabs.get();
    slabs.put(object);
    CHECK(slabs.get() == object);
    slabs.put(object);
}

TEST_CASE("sizes and numbers out of bounds are refused, and the bounds named") {
    const auto refused = [](std::size_t size, std::size_t count, const char* text,
                            const SlabOptions& options = {}) {
        CHECK_THROWS_WITH_AS(SlabAllocator(size, count, options), doctest::Contains(text),
                             std::invalid_argument);
    };
    refused(0, 1, "object_size must be 1 to 1048576 bytes, but is 0");
    refused((1 << 20) + 1, 1, "object_size must be 1 to 1048576 bytes, but is 1048577");
    refused(~std::size_t{0}, 1, "object_size must be 1 to 1048576 bytes");
    refused(64, 0, "objects_per_slab must be 1 to 16777216 for objects of 64 bytes, but is 0");
    refused(64, (1 << 24) + 1, "but is 16777217");
    refused(1 << 20, 1025, "objects_per_slab must be 1 to 1024 for");
    refused(64, ~std::size_t{0}, "objects_per_slab must be 1 to");
    refused(64, 128, "limit_bytes of a slab allocator must be 8192 or more, but is 8191",
            {.limit_bytes = 8191});
    SlabAllocator largest(1, std::size_t{1} << 27);
    largest.put(largest.get());
}

TEST_CASE("what is not in use is refused, and nothing changes") {
    for (const std::size_t size : {8, 24, 100, 256, 5000}) {
        CAPTURE(size);
        SlabAllocator slabs(size, 50, {.address_space_bytes = kAddressBytes});
        SlabAllocator other(size, 50, {.address_space_bytes = kAddressBytes});
        auto* const object = static_cast<std::byte*>(slabs.get());
        auto* const unused = static_cast<std::byte*>(slabs.get());
        slabs.put(unused);
        void* const of_other = other.get();
        std::byte local[64];
        const SlabStats before = slabs.stats();
        std::vector<void*> wrong{nullptr,
                                 local,
                                 of_other,
                                 unused,
                                 object - (std::ptrdiff_t{1} << 40),
                                 reinterpret_cast<void*>(~std::uintptr_t{7})};
        for (std::size_t within = 1; within < slabs.stride(); ++within) {
            wrong.push_back(object + within);
        }
        for (void* const one : wrong) {
            CHECK_THROWS_AS(slabs.put(one), NotInUse);
            CHECK_THROWS_AS(slabs.put_many(std::span(&one, 1)), NotInUse);
        }
        CHECK(slabs.stats().deallocations == before.deallocations);
        slabs.put(object);
        CHECK_THROWS_WITH_AS(slabs.put(object), doctest::Contains("was put before"), NotInUse);
        slabs.trim();
        CHECK_THROWS_AS(slabs.put(object), NotInUse);
        CHECK(slabs.stats().deallocations == before.deallocations + 1);
        other.put(of_other);
    }
}

TEST_CASE("the statistics count what happened") {
    SlabAllocator slabs(200, 100, {.address_space_bytes = kAddressBytes});
    CHECK(slabs.stats().hit_rate() == 0);
    CHECK(slabs.stats().slabs == 0);
    std::vector<void*> objects;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 250; ++i) objects.push_back(slabs.get());
        for (void* object : objects) slabs.put(object);
        objects.clear();
    }
    const SlabStats stats = slabs.stats();
    CHECK(stats.allocations == 750);
    CHECK(stats.deallocations == 750);
    CHECK(stats.slabs == 3);
    CHECK(stats.misses >= 3);
    CHECK(stats.misses <= 3 * 4);  // of batches of 32, in 3 slabs
    CHECK(stats.bytes_held == 3 * 5 * kPage);
    CHECK(stats.bytes_held_max == stats.bytes_held);
    CHECK(slabs.trim() == stats.bytes_held);
    CHECK(slabs.stats().slabs == 0);
    CHECK(slabs.stats().bytes_held == 0);
    CHECK(slabs.stats().bytes_held_max == stats.bytes_held);
}

TEST_CASE("trimming gives back slabs of which nothing is in use, and no other") {
    SlabAllocator slabs(4096, 16, {.address_space_bytes = kAddressBytes});
    std::vector<Buffer> objects;
    for (int i = 0; i < 16 * 10; ++i) {
        objects.push_back(get_object(slabs, 4096, static_cast<unsigned char>(i)));
    }
    // One stays in every second slab.
    std::vector<Buffer> kept;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        const auto slab = (objects[i].data - objects[0].data) / (16 * 4096);
        const bool stays = std::none_of(kept.begin(), kept.end(), [&](const Buffer& one) {
            return (one.data - objects[0].data) / (16 * 4096) == slab;
        });
        if (stays && kept.size() < 5) {
            kept.push_back(objects[i]);
        } else {
            slabs.put(objects[i].data);
        }
    }
    CHECK(slabs.trim() == std::size_t{5} * 16 * 4096);
    CHECK(slabs.stats().slabs == 5);
    CHECK(std::all_of(kept.begin(), kept.end(), is_whole));
    CHECK(slabs.trim() == 0);
    for (const Buffer& object : kept) slabs.put(object.data);
    CHECK(slabs.trim() == std::size_t{5} * 16 * 4096);
    // Slabs that were given back are used again, and empty.
    const Buffer again = get_object(slabs, 4096, 0);
    CHECK(is_whole(again));
    slabs.put(again.data);
    CHECK(use_objects(slabs, 4096, 1, 20'000) == 0);
}

TEST_CASE("the limit holds, and so do the addresses that there are") {
    SlabAllocator slabs(1000, 8, {.limit_bytes = 4 * 8192});
    std::vector<void*> objects;
    for (int i = 0; i < 32; ++i) objects.push_back(slabs.get());
    CHECK_THROWS_WITH_AS(static_cast<void>(slabs.get()),
                         "the slab allocator has reached its limit of bytes held", PoolExhausted);
    slabs.put(objects.back());
    CHECK(slabs.get() == objects.back());
    for (void* object : objects) slabs.put(object);
    CHECK(slabs.stats().bytes_held == 4 * 8192);
    SlabAllocator few(1 << 20, 1, {.address_space_bytes = std::size_t{4} << 20});
    objects.clear();
    CHECK_THROWS_AS(for (;;) objects.push_back(few.get()), std::bad_alloc);
    CHECK(objects.size() == 4);
    for (void* object : objects) few.put(object);
    few.put(few.get());
}

TEST_CASE("many at once are all or none") {
    SlabAllocator slabs(100, 10, {.limit_bytes = 10 * 4096});
    std::vector<void*> objects(100);
    slabs.get_many(objects);
    CHECK(slabs.stats().allocations == 100);
    std::vector<void*> more(5);
    CHECK_THROWS_AS(slabs.get_many(more), PoolExhausted);
    std::vector<void*> wrong(objects.begin(), objects.begin() + 50);
    wrong.push_back(wrong[7]);  // twice
    CHECK_THROWS_WITH_AS(slabs.put_many(wrong), doctest::Contains("put before"), NotInUse);
    CHECK(slabs.stats().deallocations == 0);
    wrong.back() = nullptr;
    CHECK_THROWS_AS(slabs.put_many(wrong), NotInUse);
    CHECK(slabs.stats().deallocations == 0);
    slabs.put_many(std::span(objects).first(40));
    CHECK(slabs.stats().deallocations == 40);
    // 40 are there, so that 41 are too many, and none is taken.
    more.resize(41);
    CHECK_THROWS_AS(slabs.get_many(more), PoolExhausted);
    more.resize(40);
    slabs.get_many(more);
    slabs.put_many(more);
    slabs.put_many(std::span(objects).subspan(40));
    slabs.put_many({});
    slabs.get_many({});
    CHECK(slabs.trim() == 10 * 4096);
}

TEST_CASE("threads never get the same object") {
    SlabAllocator slabs(72, 50, {.address_space_bytes = kAddressBytes});
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] { wrong += use_objects(slabs, 72, i + 1, 30'000); });
    }
    for (int i = 0; i < 50; ++i) {
        slabs.trim();
        CHECK(slabs.stats().allocations >= slabs.stats().misses);
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(slabs.stats().allocations == slabs.stats().deallocations);
    slabs.trim();
    CHECK(slabs.stats().slabs == 0);  // threads that have ended keep nothing
}

TEST_CASE("an object may be put by another thread than got it") {
    constexpr int kObjects = 50'000;
    SlabAllocator slabs(48, 64, {.address_space_bytes = kAddressBytes});
    dwcp::lockfree::MpmcQueue<Buffer*> queue(64);
    std::vector<Buffer> objects(kObjects);
    int wrong = 0;
    std::thread other([&] {
        Buffer* object = nullptr;
        for (int i = 0; i < kObjects; ++i) {
            while (!queue.try_get(object)) std::this_thread::yield();
            wrong += is_whole(*object) ? 0 : 1;
            slabs.put(object->data);
        }
    });
    for (int i = 0; i < kObjects; ++i) {
        objects[static_cast<std::size_t>(i)] = get_object(slabs, 48, static_cast<unsigned char>(i));
        while (!queue.try_put(&objects[static_cast<std::size_t>(i)])) std::this_thread::yield();
    }
    other.join();
    CHECK(wrong == 0);
    // What the one puts the other gets: in the long run nothing new is made.
    CHECK(slabs.stats().slabs < 20);
}
