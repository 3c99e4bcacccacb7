#include "dwcp/cache/stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "dwcp/os/advice.hpp"
#include "dwcp/os/machine.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;
using cache::Stream;
using cache::StreamOptions;

TEST_CASE("chunks are those of the data, in their order, for every distance and stride") {
    const auto bytes = random_bytes(1000, 1);
    const auto data = as_bytes(bytes);
    for (const std::size_t size : {0u, 1u, 99u, 100u, 101u, 1000u}) {
        for (const std::size_t chunk : {1u, 7u, 100u, 999u, 1000u, 5000u}) {
            for (const std::size_t distance : {0u, 1u, 3u, 1024u}) {
                for (const std::size_t stride : {std::size_t{0}, std::size_t{1}, std::size_t{50},
                                                 std::size_t{300}, SIZE_MAX}) {
                    const std::size_t step = stride == 0 ? chunk : stride;
                    std::size_t at = 0;
                    bool good = true;
                    cache::for_each_chunk(data.first(size), chunk,
                                          [&](std::span<const std::byte> part) {
                                              good = good && at < size &&
                                                     part.data() == data.data() + at &&
                                                     part.size() == std::min(chunk, size - at);
                                              at = step > size ? size : at + step;
                                          },
                                          {.distance = distance, .stride = stride});
                    CHECK(good);
                    CHECK(at >= size);
                }
            }
        }
    }
}

TEST_CASE("a chunk of no bytes is refused, and distances that are none") {
    const auto bytes = random_bytes(10, 2);
    const auto nothing = [](std::span<const std::byte>) {};
    CHECK_THROWS_WITH_AS(cache::for_each_chunk(as_bytes(bytes), 0, nothing),
                         "chunk must be at least 1 byte, but is 0", std::invalid_argument);
    CHECK_THROWS_WITH_AS(Stream(as_bytes(bytes), 1, {.distance = 1025}),
                         "distance must be 0 to 1024 chunks, but is 1025", std::invalid_argument);
}

TEST_CASE("what the body throws ends it, at that chunk") {
    const auto bytes = random_bytes(100, 3);
    int seen = 0;
    const auto body = [&](std::span<const std::byte>) {
        if (++seen == 3) throw std::runtime_error("enough");
    };
    CHECK_THROWS_WITH_AS(cache::for_each_chunk(as_bytes(bytes), 10, body), "enough",
                         std::runtime_error);
    CHECK(seen == 3);
}

namespace {

// Whether the kernel takes this memory to be read from begin to end.
bool is_sequential(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    const auto place = reinterpret_cast<std::uintptr_t>(address);
    bool here = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t first = 0;
        std::uintptr_t last = 0;
        if (std::sscanf(line.c_str(), "%zx-%zx ", &first, &last) == 2) {
            here = first <= place && place < last;
        } else if (here && line.starts_with("VmFlags:")) {
            return line.find(" sr") != std::string::npos;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("of a mapping the kernel is told that it is read in order, while the stream is there") {
    const GuardedPage pages(32);
    // Off the begin of a page, and to the last byte before a page that is not there.
    const auto data = std::as_bytes(std::span(pages.first() + 100, pages.size() - 100));
    // Emulators show no such thing.
    CHECK(os::advise(data, os::Advice::kSequential) == 0);
    const bool shown = is_sequential(data.data());
    CHECK(os::advise(data, os::Advice::kNormal) == 0);
    CHECK(!is_sequential(data.data()));
    {
        Stream stream(data, 1000, {.mapped = true});
        CHECK(stream.will_advise(0));
        CHECK(stream.advised_bytes() == 0);
        for (std::size_t i = 0; i < stream.size(); ++i) {
            stream.fetch_ahead(i);
            REQUIRE(!stream.will_advise(i));
        }
        CHECK(stream.refusal() == 0);
        CHECK(stream.advised_bytes() == data.size());
        CHECK(is_sequential(data.data()) == shown);
        CHECK(is_sequential(&data.back()) == shown);
        CHECK(!is_sequential(pages.first() - 1));
    }
    CHECK(!is_sequential(data.data()));
    {
        Stream unused(data, 1000, {.mapped = true});
        Stream plain(data, 1000);
        plain.fetch_ahead(0);
        CHECK(!is_sequential(data.data()));
    }
}

TEST_CASE("of chunks that lie far apart the kernel is asked for no more than they are") {
    const GuardedPage pages(std::size_t{16} << 20 >> 12);
    const auto data = std::as_bytes(std::span(pages.first(), std::size_t{16} << 20));
    Stream stream(data, 4096, {.distance = 2, .stride = std::size_t{1} << 20, .mapped = true});
    CHECK(stream.size() == 16);
    stream.fetch_ahead(0);
    if (stream.refusal() != 0) return;
    CHECK(stream.advised_bytes() == 5 * 4096);
    for (std::size_t i = 0; i < stream.size(); ++i) stream.fetch_ahead(i);
    CHECK(stream.advised_bytes() == 16 * 4096);
}

TEST_CASE("a kernel that refuses is not asked again, and its reason is kept") {
    std::byte* gone = nullptr;
    {
        const GuardedPage pages(4);
        gone = reinterpret_cast<std::byte*>(pages.first());
    }
    // Nothing is mapped there any more; prefetching does not mind. Some emulators take any advice.
    if (os::advise({gone, 1}, os::Advice::kWillNeed) == 0) return;
    for (const std::size_t stride : {std::size_t{0}, std::size_t{1} << 20}) {
        Stream stream({gone, 4 * os::page_bytes()}, 4096, {.stride = stride, .mapped = true});
        CHECK(stream.refusal() == 0);
        CHECK(stream.will_advise(0));
        stream.fetch_ahead(0);
        CHECK(stream.refusal() == ENOMEM);
        CHECK(stream.advised_bytes() == 0);
        CHECK(!stream.will_advise(1));
    }
}

TEST_CASE("threads may share a stream") {
    constexpr std::size_t kSize = std::size_t{16} << 20;
    const GuardedPage pages(kSize / os::page_bytes());
    const auto data = std::as_bytes(std::span(pages.first(), kSize));
    Stream stream(data, 4096, {.stride = 128 << 10, .mapped = true});
    std::atomic<std::size_t> next = 0;
    std::atomic<std::size_t> total = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                for (std::size_t k = next.fetch_add(1); k < stream.size(); k = next.fetch_add(1)) {
                    stream.fetch_ahead(k);
                    total.fetch_add(stream.chunk(k).size());
                }
            });
        }
    }
    CHECK(total == kSize / 32);
    if (stream.refusal() == 0) CHECK(stream.advised_bytes() == kSize / 32);
}
