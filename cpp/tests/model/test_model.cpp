// The checker finds what the memory model allows, and nothing else.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "model/model.hpp"

using namespace dwcp;
using model::Atomic;
using model::Value;
using enum std::memory_order;

namespace {

struct Two {
    Atomic<int> x{0};
    Atomic<int> y{0};
    Value<int> data{0};
    int first = -1;
    int second = -1;
};

// Both threads store to their place and load the other's.
model::Result store_buffering(std::memory_order to_store, std::memory_order to_load, bool fenced) {
    return model::check({}, [=](model::Program& program) {
        auto both = std::make_shared<Two>();
        program.thread([=] {
            both->x.store(1, to_store);
            if (fenced) model::Atomics::fence(seq_cst);
            both->first = both->y.load(to_load);
        });
        program.thread([=] {
            both->y.store(1, to_store);
            if (fenced) model::Atomics::fence(seq_cst);
            both->second = both->x.load(to_load);
        });
        program.finally(
            [=] { model::require(both->first == 1 || both->second == 1, "one sees the other"); });
    });
}

// A value is written, and made known by a flag.
model::Result message(std::memory_order to_store, std::memory_order to_load, bool fences) {
    return model::check({}, [=](model::Program& program) {
        auto both = std::make_shared<Two>();
        program.thread([=] {
            both->data = 7;
            if (fences) model::Atomics::fence(release);
            both->x.store(1, to_store);
        });
        program.thread([=] {
            if (both->x.load(to_load) == 0) return;
            if (fences) model::Atomics::fence(acquire);
            model::require(both->data.get() == 7, "the value is there");
        });
    });
}

bool is_race(const model::Result& result) {
    return result.failure.starts_with("data race");
}

}  // namespace

TEST_CASE("stores may be late, unless the order is total") {
    CHECK(store_buffering(relaxed, relaxed, false).failure == "not so: one sees the other");
    CHECK(store_buffering(release, acquire, false).failure == "not so: one sees the other");
    const model::Result total = store_buffering(seq_cst, seq_cst, false);
    CHECK(total.failure == "");
    CHECK(total.complete);
    CHECK(total.runs > 3);
    CHECK(store_buffering(relaxed, relaxed, true).failure == "");
}

TEST_CASE("what is published without an order is a race") {
    CHECK(message(release, acquire, false).failure == "");
    CHECK(is_race(message(relaxed, acquire, false)));
    CHECK(is_race(message(release, relaxed, false)));
    CHECK(message(relaxed, relaxed, true).failure == "");
}

TEST_CASE("what is written after the flag is a race") {
    const model::Result result = model::check({}, [](model::Program& program) {
        auto both = std::make_shared<Two>();
        program.thread([=] {
            both->x.store(1, release);
            both->data = 7;
        });
        program.thread([=] {
            if (both->x.load(acquire) == 1) (void)both->data.get();
        });
    });
    CHECK(is_race(result));
}

TEST_CASE("a chain of read-modify-writes goes on with what was released, a store ends it") {
    const auto chain = [](bool store) {
        return model::check({}, [=](model::Program& program) {
            auto both = std::make_shared<Two>();
            program.thread([=] {
                both->data = 7;
                both->x.store(1, release);
            });
            program.thread([=] {
                if (store) {
                    if (both->x.load(relaxed) == 1) both->x.store(2, relaxed);
                } else {
                    int one = 1;
                    both->x.compare_exchange_strong(one, 2, relaxed, relaxed);
                }
            });
            program.thread([=] {
                if (both->x.load(acquire) == 2) (void)both->data.get();
            });
        });
    };
    CHECK(chain(false).failure == "");
    CHECK(is_race(chain(true)));
}

TEST_CASE("a thread never goes back behind what it has seen") {
    const model::Result result = model::check({}, [](model::Program& program) {
        auto both = std::make_shared<Two>();
        program.thread([=] {
            both->x.store(1, relaxed);
            both->x.store(2, relaxed);
        });
        program.thread([=] {
            const int first = both->x.load(relaxed);
            model::require(first <= both->x.load(relaxed), "it only grows");
        });
    });
    CHECK(result.failure == "");
    CHECK(result.complete);
}

TEST_CASE("increments that are no single step get lost, and others do not") {
    const auto count = [](bool atomic) {
        return model::check({}, [=](model::Program& program) {
            auto both = std::make_shared<Two>();
            for (int i = 0; i < 3; ++i) {
                program.thread([=] {
                    if (atomic) {
                        both->x.fetch_add(1, relaxed);
                    } else {
                        both->x.store(both->x.load(relaxed) + 1, relaxed);
                    }
                });
            }
            program.finally([=] { model::require(both->x.load(relaxed) == 3, "all counted"); });
        });
    };
    CHECK(count(true).failure == "");
    CHECK(count(false).failure == "not so: all counted");
}

TEST_CASE("a lock keeps threads apart, and one that is never given back is found") {
    const auto locked = [](bool give_back) {
        return model::check({}, [=](model::Program& program) {
            auto both = std::make_shared<Two>();
            for (int i = 0; i < 2; ++i) {
                program.thread([=] {
                    while (both->x.exchange(1, acquire) == 1) model::Atomics::pause();
                    both->data = both->data.get() + 1;
                    if (give_back) both->x.store(0, release);
                });
            }
        });
    };
    const model::Result good = locked(true);
    CHECK(good.failure == "");
    CHECK(good.complete);
    CHECK(locked(false).failure == "all threads wait for one another");
}

TEST_CASE("who sleeps is woken, and a wake-up that comes too early is found") {
    // One tells the other by a flag; it forgets to change the word it sleeps on, or does not.
    const auto told = [](bool changes_word) {
        return model::check({}, [=](model::Program& program) {
            auto flag = std::make_shared<model::Atomic<int>>(0);
            auto word = std::make_shared<model::Atomic<std::uint32_t>>(0U);
            program.thread([=] {
                flag->store(1, std::memory_order_seq_cst);
                if (changes_word) word->fetch_add(1, std::memory_order_seq_cst);
                model::Waiting::wake(*word, 1, os::Scope::kProcess);
            });
            program.thread([=] {
                while (flag->load(std::memory_order_seq_cst) == 0) {
                    const std::uint32_t seen = word->load(std::memory_order_seq_cst);
                    if (flag->load(std::memory_order_seq_cst) != 0) return;
                    model::Waiting::wait(*word, seen, {}, os::Scope::kProcess);
                }
            });
        });
    };
    CHECK(told(true).failure == "");
    CHECK(told(false).failure == "all threads wait for one another");
}

TEST_CASE("a mortal thread dies before each of its steps once, and not after the last") {
    auto stored = std::make_shared<std::vector<int>>();
    const model::Result result = model::check({}, [=](model::Program& program) {
        auto word = std::make_shared<model::Atomic<int>>(0);
        const auto work = [=] {
            for (int i = 1; i <= 3; ++i) word->store(i, std::memory_order_relaxed);
        };
        program.thread(work, true);
        program.finally([=] {
            const int last = word->load(std::memory_order_relaxed);
            model::require(model::has_died(0) == (last < 3), "it says who died");
            stored->push_back(last);
        });
    });
    CHECK(result.failure == "");
    std::sort(stored->begin(), stored->end());
    CHECK(*stored == std::vector<int>{0, 1, 2, 3});
}
