// Many threads: nothing is lost, nothing comes twice, and what one thread put comes out in its
// order.
#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "lockfree/structures.hpp"

using namespace dwcp::lockfree;
using namespace dwcp::lockfree::testing;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kItems = 4'000;
#else
constexpr std::uint64_t kItems = 10'000;
#endif

// One word, and a type with an owner, whose contents a race would show to the sanitizer.
std::uint64_t make(std::uint64_t number, std::uint64_t*) {
    return number;
}
std::unique_ptr<std::uint64_t> make(std::uint64_t number, std::unique_ptr<std::uint64_t>*) {
    return std::make_unique<std::uint64_t>(number);
}
std::uint64_t number_of(std::uint64_t item) {
    return item;
}
std::uint64_t number_of(const std::unique_ptr<std::uint64_t>& item) {
    return *item;
}

// Each producer puts its numbers in ascending order; consumers note what they get.
template <typename Kind>
void pass(Kind& kind, unsigned producers, unsigned consumers, std::size_t batch) {
    using T = typename Kind::value_type;
    std::vector<std::vector<std::uint64_t>> got(consumers);
    std::atomic<std::uint64_t> left = producers * kItems;
    std::barrier start(producers + consumers);
    std::vector<std::jthread> threads;
    for (unsigned p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            start.arrive_and_wait();
            for (std::uint64_t i = 0; i < kItems;) {
                if (batch == 1) {
                    T item = make(p * kItems + i, static_cast<T*>(nullptr));
                    while (!kind.try_put(std::move(item))) std::this_thread::yield();
                    ++i;
                    continue;
                }
                std::vector<T> items;
                for (std::uint64_t k = i; k < std::min(i + batch, kItems); ++k) {
                    items.push_back(make(p * kItems + k, static_cast<T*>(nullptr)));
                }
                const std::size_t put =
                    kind.put_many(std::make_move_iterator(items.begin()), items.size());
                if (put == 0) std::this_thread::yield();
                i += put;
            }
        });
    }
    for (unsigned c = 0; c < consumers; ++c) {
        threads.emplace_back([&, c] {
            start.arrive_and_wait();
            std::vector<T> items(batch);
            while (left.load() > 0) {
                std::size_t count = 0;
                if (batch == 1) {
                    count = kind.structure->try_get(items[0]) ? 1 : 0;
                } else {
                    count = kind.structure->get_many(items.begin(), batch);
                }
                for (std::size_t k = 0; k < count; ++k) got[c].push_back(number_of(items[k]));
                if (count == 0) std::this_thread::yield();
                left -= count;
            }
        });
    }
    threads.clear();
    std::vector<unsigned> seen(producers * kItems);
    for (const auto& numbers : got) {
        std::vector<std::uint64_t> last(producers);
        for (const std::uint64_t number : numbers) {
            ++seen[number];
            if (Kind::kStack) continue;
            std::uint64_t& before = last[number / kItems];
            REQUIRE(before <= number + 1);
            before = number + 1;
        }
    }
    for (const unsigned times : seen) REQUIRE(times == 1);
    CHECK(kind.structure->empty());
}

template <typename Kind>
void pass_all() {
    for (const std::size_t capacity : {1, 3, 64}) {
        for (const std::size_t batch : {1, 5}) {
            Kind one(capacity);
            pass(one, 1, 1, batch);
            if constexpr (Kind::kShared) {
                Kind many(capacity);
                pass(many, 2, 2, batch);
                pass(many, 3, 1, batch);
            }
        }
        if (!Kind::kBounded) return;
    }
}

}  // namespace

TEST_CASE_TEMPLATE("threads pass on words", Kind, DWCP_LOCKFREE_KINDS(std::uint64_t)) {
    pass_all<Kind>();
}

TEST_CASE_TEMPLATE("threads pass on items with owners", Kind,
                   DWCP_LOCKFREE_KINDS(std::unique_ptr<std::uint64_t>)) {
    pass_all<Kind>();
}

TEST_CASE_TEMPLATE("peek, size and clear may be called while others put and get", Kind,
                   Mpmc<std::uint64_t>, MichaelScott<std::uint64_t>, Segments<std::uint64_t>,
                   Treiber<std::uint64_t>) {
    Kind kind(8);
    std::atomic<bool> stop = false;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            for (std::uint64_t k = 1; k <= kItems; ++k) {
                std::uint64_t item = 0;
                if (!kind.try_put(7 * k) || k % 3 == 0) (void)kind.structure->try_get(item);
                if (k % 64 == 0) kind.structure->clear();
            }
            stop = true;
        });
    }
    while (!stop) {
        std::uint64_t item = 7;
        (void)kind.structure->peek(item);
        REQUIRE(item % 7 == 0);
        REQUIRE(kind.structure->size() <= (Kind::kBounded ? 8 : 2 * kItems));
    }
}
