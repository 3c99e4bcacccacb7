#include "dwcp/cache/padded.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace dwcp::cache;

TEST_CASE("padded values share no line, in arrays either") {
    static_assert(alignof(Padded<char>) == kSeparationBytes);
    static_assert(sizeof(Padded<char>) == kSeparationBytes);
    static_assert(sizeof(Padded<char[129]>) == 2 * kSeparationBytes);
    struct alignas(256) Wide {
        char byte;
    };
    static_assert(alignof(Padded<Wide>) == 256);
    static_assert(sizeof(PaddedCounter) == kSeparationBytes);
    const std::vector<Padded<std::string>> values(3, Padded<std::string>{"text"});
    for (const Padded<std::string>& padded : values) {
        CHECK(is_aligned(&padded, kSeparationBytes));
        CHECK(*padded == "text");
        CHECK(padded->size() == 4);
    }
    Padded<int> number;
    CHECK(number.value == 0);
    *number += 3;
    CHECK(number.value == 3);
}

TEST_CASE("counters are set, added to, and wrap around") {
    PaddedCounter counter(5);
    CHECK(counter.get() == 5);
    CHECK(counter.add() == 6);
    CHECK(counter.add(-10) == -4);
    counter.set(std::numeric_limits<std::int64_t>::max());
    CHECK(counter.add() == std::numeric_limits<std::int64_t>::min());
    CHECK(counter.add(-1) == std::numeric_limits<std::int64_t>::max());
    PaddedAtomic<std::uint8_t> small(255);
    CHECK(small.add(2) == 1);
    CHECK(small.get() == 1);
}

TEST_CASE("what threads add is all there, and each sum is seen once") {
    constexpr std::int64_t kAdded = 20'000;
    PaddedCounter counter;
    AlignedArray<PaddedCounter> own(3, kSeparationBytes);
    std::vector<std::vector<std::int64_t>> sums(own.size());
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < own.size(); ++i) {
        threads.emplace_back([&, i] {
            for (std::int64_t k = 0; k < kAdded; ++k) {
                sums[i].push_back(counter.add());
                own[i].add(2);
            }
        });
    }
    threads.clear();
    CHECK(counter.get() == 3 * kAdded);
    std::vector<bool> seen(3 * kAdded + 1);
    for (const auto& of_thread : sums) {
        for (const std::int64_t sum : of_thread) {
            REQUIRE(!seen[static_cast<std::size_t>(sum)]);
            seen[static_cast<std::size_t>(sum)] = true;
        }
    }
    for (const PaddedCounter& one : own) CHECK(one.get() == 2 * kAdded);
}

TEST_CASE("the thread that brings a count to its end sees what the others did before") {
    // Plain memory: the thread sanitizer sees it when the order is not kept.
    for (int round = 0; round < 200; ++round) {
        PaddedCounter left(2);
        int values[2] = {};
        int total = 0;
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 2; ++i) {
                threads.emplace_back([&, i] {
                    values[i] = i + 1;
                    if (left.add(-1) == 0) total = values[0] + values[1];
                });
            }
        }
        REQUIRE(total == 3);
    }
}

TEST_CASE("arrays begin at every alignment that is asked for") {
    for (std::size_t alignment = 1; alignment <= std::size_t{2} << 20; alignment *= 2) {
        std::vector<AlignedArray<std::uint8_t>> arrays;
        for (std::size_t size = 0; size < 20; ++size) {
            arrays.emplace_back(size * 7, alignment);
            CHECK(is_aligned(arrays.back().data(), alignment));
            CHECK(arrays.back().size() == size * 7);
            for (const std::uint8_t byte : arrays.back()) CHECK(byte == 0);
        }
    }
    const AlignedArray<double> usual(1000);
    CHECK(is_aligned(usual.data(), kLineBytes));
    CHECK(usual.span().size() == 1000);
}

TEST_CASE("arrays own their elements") {
    const auto shared = std::make_shared<int>(1);
    AlignedArray<std::shared_ptr<int>> array(10, 4096);
    for (auto& element : array) element = shared;
    CHECK(shared.use_count() == 11);
    AlignedArray<std::shared_ptr<int>> other(std::move(array));
    CHECK(array.size() == 0);  // NOLINT: it is empty now
    CHECK(array.data() == nullptr);
    CHECK(other.size() == 10);
    CHECK(shared.use_count() == 11);
    other = AlignedArray<std::shared_ptr<int>>(2);
    CHECK(shared.use_count() == 1);
    CHECK(AlignedArray<int>().size() == 0);
}

TEST_CASE("elements that were made go when one cannot be made") {
    static int living = 0;
    struct Third {
        Third() {
            if (living == 2) throw std::runtime_error("the third");
            ++living;
        }
        ~Third() { --living; }
    };
    CHECK_THROWS_WITH_AS(AlignedArray<Third>(5), "the third", std::runtime_error);
    CHECK(living == 0);
}

TEST_CASE("alignments that are none are refused, and sizes that there cannot be") {
    for (const std::size_t alignment : {0, 3, 4, 24, 100}) {
        CHECK_THROWS_AS(AlignedArray<double>(1, alignment), std::invalid_argument);
    }
    CHECK_THROWS_WITH_AS(AlignedArray<double>(1, 4),
                         "alignment must be a power of two from 8 on, but is 4",
                         std::invalid_argument);
    CHECK_THROWS_AS(AlignedArray<double>(std::numeric_limits<std::size_t>::max() / 4),
                    std::bad_alloc);
}
