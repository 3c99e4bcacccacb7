// Buffers filled with a pattern, by which it shows when somebody else gets the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "dwcp/memory/buffer_pool.hpp"

namespace dwcp::memory {

// Of addresses, for tests of many pools: an emulator keeps something for each page of them.
inline constexpr std::size_t kAddressBytes = std::size_t{1} << 28;

struct Buffer {
    unsigned char* data;
    std::size_t size;
    unsigned char pattern;
};

inline Buffer get(BufferPool& pool, std::size_t size, unsigned char pattern) {
    auto* const data = static_cast<unsigned char*>(pool.get(size));
    std::memset(data, pattern, size);
    return {data, size, pattern};
}
inline bool is_whole(const Buffer& buffer) {
    return std::all_of(buffer.data, buffer.data + buffer.size,
                       [&](unsigned char byte) { return byte == buffer.pattern; });
}

// Gets and puts at random by two functions; counts the buffers that somebody else wrote to
// meanwhile.
template <typename Get, typename Put>
int use(unsigned seed, int steps, Get&& get_one, Put&& put_one) {
    std::minstd_rand random(seed);
    std::vector<Buffer> own;
    int wrong = 0;
    for (int step = 0; step < steps; ++step) {
        if (own.empty() || (own.size() < 40 && random() % 2 == 0)) {
            own.push_back(get_one(random));
        } else {
            std::swap(own[random() % own.size()], own.back());
            wrong += is_whole(own.back()) ? 0 : 1;
            put_one(own.back().data);
            own.pop_back();
        }
    }
    for (const Buffer& buffer : own) {
        wrong += is_whole(buffer) ? 0 : 1;
        put_one(buffer.data);
    }
    return wrong;
}

inline int use(BufferPool& pool, unsigned seed, int steps) {
    return use(
        seed, steps,
        [&](auto& random) {
            const std::size_t size = random() % (std::size_t{64} << random() % 12);
            return get(pool, size, static_cast<unsigned char>(random()));
        },
        [&](void* data) { pool.put(data); });
}

// Of a pool of one size.
template <typename Pool>
Buffer get_object(Pool& pool, std::size_t size, unsigned char pattern) {
    auto* const data = static_cast<unsigned char*>(pool.get());
    std::memset(data, pattern, size);
    return {data, size, pattern};
}
template <typename Pool>
int use_objects(Pool& pool, std::size_t size, unsigned seed, int steps) {
    return use(
        seed, steps,
        [&](auto& random) { return get_object(pool, size, static_cast<unsigned char>(random())); },
        [&](void* data) { pool.put(data); });
}

}  // namespace dwcp::memory
