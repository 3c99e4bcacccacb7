// What every structure does with one thread: order, bounds, batches, items of all sorts,
// exceptions.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "lockfree/structures.hpp"

using namespace dwcp::lockfree;
using namespace dwcp::lockfree::testing;

namespace {

// Counts those alive; copies throw when told to.
struct Counted {
    static inline int alive = 0;
    static inline int copies_until_throw = -1;

    int value = 0;

    Counted() noexcept { ++alive; }
    explicit Counted(int number) noexcept : value(number) { ++alive; }
    Counted(const Counted& other) : value(other.value) {
        if (copies_until_throw == 0) throw std::runtime_error("copy");
        --copies_until_throw;
        ++alive;
    }
    Counted(Counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
    Counted& operator=(const Counted&) = default;
    Counted& operator=(Counted&& other) noexcept {
        value = std::exchange(other.value, -1);
        return *this;
    }
    ~Counted() { --alive; }
};

template <typename Kind>
std::vector<int> drain(Kind& kind) {
    std::vector<int> items;
    int item = 0;
    while (kind.structure->try_get(item)) items.push_back(item);
    return items;
}

// The order in which they come out.
template <typename Kind>
std::vector<int> ordered(std::vector<int> items) {
    if (Kind::kStack) std::reverse(items.begin(), items.end());
    return items;
}

}  // namespace

TEST_CASE_TEMPLATE("items come out in order, for every capacity and over many laps", Kind,
                   DWCP_LOCKFREE_KINDS(int)) {
    for (std::size_t capacity = 1; capacity <= 9; ++capacity) {
        Kind kind(capacity);
        std::deque<int> expected;
        std::mt19937 random(static_cast<unsigned>(capacity));
        int next = 0;
        for (int i = 0; i < 2000; ++i) {
            if (random() % 2 == 0) {
                const bool fits = !Kind::kBounded || expected.size() < capacity;
                REQUIRE(kind.try_put(next) == fits);
                if (fits) expected.push_back(next);
                ++next;
            } else {
                int item = -1;
                REQUIRE(kind.structure->try_get(item) == !expected.empty());
                if (!expected.empty()) {
                    CHECK(item == (Kind::kStack ? expected.back() : expected.front()));
                    Kind::kStack ? expected.pop_back() : expected.pop_front();
                }
            }
            REQUIRE(kind.structure->size() == expected.size());
            REQUIRE(kind.structure->empty() == expected.empty());
        }
    }
}

TEST_CASE_TEMPLATE("batches are what single calls are", Kind, DWCP_LOCKFREE_KINDS(int)) {
    for (std::size_t capacity : {1, 2, 3, 7, 8, 64}) {
        Kind kind(capacity);
        std::deque<int> expected;
        std::mt19937 random(static_cast<unsigned>(capacity));
        int next = 0;
        for (int i = 0; i < 1000; ++i) {
            std::vector<int> batch(random() % 12);
            if (random() % 2 == 0) {
                std::iota(batch.begin(), batch.end(), next);
                const std::size_t room = Kind::kBounded ? capacity - expected.size() : kUnbounded;
                const std::size_t fitting = std::min(batch.size(), room);
                REQUIRE(kind.put_many(batch.begin(), batch.size()) == fitting);
                next += static_cast<int>(fitting);
                expected.insert(expected.end(), batch.begin(),
                                batch.begin() + static_cast<std::ptrdiff_t>(fitting));
            } else {
                const std::size_t there = std::min(batch.size(), expected.size());
                REQUIRE(kind.structure->get_many(batch.begin(), batch.size()) == there);
                for (std::size_t k = 0; k < there; ++k) {
                    CHECK(batch[k] == (Kind::kStack ? expected.back() : expected.front()));
                    Kind::kStack ? expected.pop_back() : expected.pop_front();
                }
            }
            REQUIRE(kind.structure->size() == expected.size());
        }
    }
}

TEST_CASE_TEMPLATE("items that can only be moved, and that own memory", Kind,
                   DWCP_LOCKFREE_KINDS(std::unique_ptr<std::string>)) {
    Kind kind(4);
    for (int lap = 0; lap < 20; ++lap) {
        for (int i = 0; i < 3; ++i) {
            REQUIRE(kind.try_put(std::make_unique<std::string>(100, static_cast<char>('a' + i))));
        }
        std::unique_ptr<std::string> item;
        REQUIRE(kind.structure->try_get(item));
        CHECK(item->front() == (Kind::kStack ? 'c' : 'a'));
        kind.structure->clear();
        CHECK(kind.structure->empty());
        CHECK_FALSE(kind.structure->try_get(item));
    }
    REQUIRE(kind.try_put(std::make_unique<std::string>("left in it")));  // freed by the destructor
}

TEST_CASE_TEMPLATE("a full structure leaves the item with the caller", Kind, Spsc<int>,
                   SpscSlot<int>, Mpmc<int>) {
    typename Kind::template Of<std::unique_ptr<int>> kind(1);
    REQUIRE(kind.try_put(std::make_unique<int>(1)));
    CHECK(kind.structure->full());
    auto second = std::make_unique<int>(2);
    CHECK_FALSE(kind.try_put(std::move(second)));
    REQUIRE(second != nullptr);
    CHECK(*second == 2);
}

TEST_CASE_TEMPLATE("every item is destroyed once", Kind, DWCP_LOCKFREE_KINDS(Counted)) {
    Counted::copies_until_throw = -1;
    {
        Kind kind(8);
        for (int i = 0; i < 6; ++i) REQUIRE(kind.try_put(Counted(i)));
        CHECK(Counted::alive == 6);
        {
            Counted item;
            REQUIRE(kind.structure->try_get(item));
            CHECK(item.value == (Kind::kStack ? 5 : 0));
        }
        CHECK(Counted::alive == 5);
        std::vector<Counted> out(2);
        CHECK(kind.structure->get_many(out.begin(), 2) == 2);
        out.clear();
        CHECK(Counted::alive == 3);
        kind.structure->clear();
        CHECK(Counted::alive == 0);
        for (int i = 0; i < 6; ++i) REQUIRE(kind.try_put(Counted(i)));
    }
    CHECK(Counted::alive == 0);
}

TEST_CASE_TEMPLATE("a copy that throws puts nothing and breaks nothing", Kind,
                   DWCP_LOCKFREE_KINDS(Counted)) {
    Counted::copies_until_throw = -1;
    {
        Kind kind(8);
        const Counted item(7);
        for (int i = 0; i < 20; ++i) {
            Counted::copies_until_throw = 0;
            CHECK_THROWS_AS(kind.try_put(item), std::runtime_error);
            Counted::copies_until_throw = -1;
            CHECK(kind.structure->empty());
            REQUIRE(kind.try_put(item));
            Counted got;
            REQUIRE(kind.structure->try_get(got));
            CHECK(got.value == 7);
        }
    }
    CHECK(Counted::alive == 0);
}

TEST_CASE_TEMPLATE("a batch whose copies throw in its midst keeps the structure whole", Kind,
                   Spsc<Counted>, SpscSlot<Counted>, MichaelScott<Counted>, Treiber<Counted>) {
    Counted::copies_until_throw = -1;
    {
        Kind kind(8);
        const std::vector<Counted> batch = [] {
            std::vector<Counted> items;
            items.reserve(5);
            for (int i = 0; i < 5; ++i) items.emplace_back(i);
            return items;
        }();
        Counted::copies_until_throw = 3;
        CHECK_THROWS_AS(kind.put_many(batch.begin(), batch.size()), std::runtime_error);
        Counted::copies_until_throw = -1;
        // A ring has put a prefix, a list nothing.
        CHECK(kind.structure->size() == (Kind::kBounded ? 3 : 0));
        kind.structure->clear();
        CHECK(Counted::alive == 5);
    }
    CHECK(Counted::alive == 0);
}

TEST_CASE_TEMPLATE("peek and for_each leave the items", Kind, Mpmc<int>, MichaelScott<int>,
                   Segments<int>, Treiber<int>) {
    Kind kind(16);
    int item = -1;
    CHECK_FALSE(kind.structure->peek(item));
    CHECK(item == -1);
    for (int lap = 0; lap < 10; ++lap) {
        for (int i = 0; i < 11; ++i) REQUIRE(kind.try_put(i));
        REQUIRE(kind.structure->peek(item));
        CHECK(item == (Kind::kStack ? 10 : 0));
        std::vector<int> seen;
        kind.structure->for_each([&](int value) { seen.push_back(value); });
        std::vector<int> all(11);
        std::iota(all.begin(), all.end(), 0);
        CHECK(seen == ordered<Kind>(all));
        CHECK(drain(kind) == ordered<Kind>(all));
        CHECK_FALSE(kind.structure->peek(item));
    }
}

TEST_CASE_TEMPLATE("rings show their oldest item to the consumer", Kind, Spsc<std::string>,
                   SpscSlot<std::string>) {
    Kind kind(2);
    std::string seen;
    const auto look = [&](const std::string& item) { seen = item; };
    CHECK_FALSE(kind.structure->peek(look));
    REQUIRE(kind.try_put("first"));
    REQUIRE(kind.try_put("second"));
    REQUIRE(kind.structure->peek(look));
    CHECK(seen == "first");
    std::vector<std::string> all;
    kind.structure->for_each([&](const std::string& item) { all.push_back(item); });
    CHECK(all == std::vector<std::string>{"first", "second"});
    CHECK(kind.structure->size() == 2);
}

TEST_CASE_TEMPLATE("capacities out of bounds are refused", Kind, Spsc<int>, SpscSlot<int>,
                   Mpmc<int>) {
    CHECK_THROWS_WITH_AS(Kind{0}, "capacity must be from 1 to 2^48, but is 0",
                         std::invalid_argument);
    CHECK_THROWS_AS(Kind{kUnbounded}, std::invalid_argument);
}
