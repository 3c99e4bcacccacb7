#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <memory_resource>
#include <string>
#include <vector>

#include "dwcp/memory/pool_resource.hpp"

using namespace dwcp::memory;

TEST_CASE("containers of the standard library use a pool, and give everything back") {
    BufferPool pool({.address_space_bytes = std::size_t{64} << 20});
    PoolResource resource(pool);
    {
        std::pmr::vector<int> numbers(&resource);
        for (int i = 0; i < 100'000; ++i) numbers.push_back(i);
        std::pmr::map<int, std::pmr::string> texts(&resource);
        for (int i = 0; i < 1000; ++i) {
            texts.emplace(i, std::string(static_cast<std::size_t>(i), 'x'));
        }
        CHECK(numbers[99'999] == 99'999);
        CHECK(texts.at(999).size() == 999);
        CHECK(pool.stats().all.allocations > 2000);
    }
    CHECK(pool.stats().all.allocations == pool.stats().all.deallocations);
}

TEST_CASE("memory of a resource is aligned as was asked for, or refused") {
    BufferPool pool({.address_space_bytes = std::size_t{256} << 20});
    PoolResource resource(pool);
    for (std::size_t alignment = 1; alignment <= PoolResource::kAlignmentMax; alignment *= 2) {
        for (const std::size_t size : {1, 100, 5000, 1 << 20, (2 << 20) + 1}) {
            // Two, so that the second is not the first of its region.
            void* const first = resource.allocate(size, alignment);
            void* const second = resource.allocate(size, alignment);
            CHECK(reinterpret_cast<std::uintptr_t>(first) % alignment == 0);
            CHECK(reinterpret_cast<std::uintptr_t>(second) % alignment == 0);
            resource.deallocate(first, size, alignment);
            resource.deallocate(second, size, alignment);
        }
    }
    CHECK_THROWS_AS(static_cast<void>(resource.allocate(1, 2 * PoolResource::kAlignmentMax)),
                    std::bad_alloc);
}

TEST_CASE("resources of the same pool are equal") {
    BufferPool pool({.address_space_bytes = std::size_t{64} << 20});
    BufferPool other({.address_space_bytes = std::size_t{64} << 20});
    CHECK(PoolResource(pool) == PoolResource(pool));
    CHECK(PoolResource(pool) != PoolResource(other));
    CHECK(PoolResource(pool) != *std::pmr::get_default_resource());
    CHECK(&PoolResource(pool).pool() == &pool);
}
