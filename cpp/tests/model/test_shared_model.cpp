// What the structures in shared memory are made of under the model checker, with processes that are
// killed before any of their steps: the queue of slots, and the lock that names its owner.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "dwcp/lockfree/shared/members.hpp"
#include "lockfree/shared/slot_queue.hpp"
#include "model/faults.hpp"
#include "model/model.hpp"

using namespace dwcp;
using namespace dwcp::lockfree;
using namespace dwcp::lockfree::shared;

namespace {

using Item = model::Value<int>;

constexpr std::size_t kCapacity = 2;

template <typename Atomics>
struct ModelSlot {
    typename Atomics::template atomic<std::uint64_t> state{0};
    Item message{0};
};

// What all see, and what came of it. Numbers that one thread writes and another reads are only read
// by `finally`.
template <typename Atomics>
struct World {
    struct At {
        std::array<ModelSlot<Atomics>, kCapacity>* slots;
        ModelSlot<Atomics>& operator()(std::uint64_t index) const { return (*slots)[index]; }
    };
    using Queue = SlotQueue<Atomics, At>;

    SlotQueueHeader<Atomics> header;
    std::array<ModelSlot<Atomics>, kCapacity> slots;
    int sent = 0;  // the last one that was put
    int read = 0;  // the one that was being read
    std::vector<int> got;

    Queue handle() { return Queue(header, At{&slots}, kCapacity); }

    static std::uint64_t self() { return model::this_thread() + 1; }
};

// One process puts three messages, the other one gets some and sees to what the first one left if
// that has died. Either may die at any point, or both.
template <typename Atomics, bool kRecovers = true>
model::Result one_to_one(unsigned deaths) {
    model::Options options;
    options.preemptions = deaths == 1 ? 3 : 2;
    options.deaths = deaths;
    return model::check(options, [](model::Program& program) {
        auto world = std::make_shared<World<Atomics>>();
        const auto recover = [](auto& queue, std::size_t thread) {
            if (kRecovers && model::has_died(thread)) queue.recover(thread + 1);
        };
        const auto put = [=](auto& queue, int number) {
            const auto claim = queue.claim_free(world->self());
            if (!claim) return false;
            claim->slot->message = Item(number);
            queue.publish(*claim);
            return true;
        };
        const auto get = [=](auto& queue) {
            const auto claim = queue.claim_message(world->self());
            if (!claim) return false;
            const int number = claim->slot->message.get();
            world->read = number;
            queue.consume(*claim);
            world->got.push_back(number);
            world->read = 0;
            return true;
        };
        program.thread(
            [=] {
                auto queue = world->handle();
                for (int number = 1; number <= 3 && put(queue, number); ++number) {
                    world->sent = number;
                }
            },
            true);
        program.thread(
            [=] {
                auto queue = world->handle();
                for (int i = 0; i < 2; ++i) {
                    if (!get(queue)) recover(queue, 0);
                }
            },
            true);
        program.finally([=] {
            auto queue = world->handle();
            const int read = world->read;
            recover(queue, 0);
            recover(queue, 1);
            while (get(queue)) {
            }
            std::vector<int>& got = world->got;
            // Who died over a message may have got it; a message that came back may be late.
            if (read != 0 && std::find(got.begin(), got.end(), read) == got.end()) {
                got.push_back(read);
            }
            std::sort(got.begin(), got.end());
            std::vector<int> all;
            for (int number = 1; number <= static_cast<int>(got.size()); ++number) {
                all.push_back(number);
            }
            model::require(got == all, "none is lost, and none comes twice");
            model::require(static_cast<int>(got.size()) >= world->sent, "all that were put come");
            for (int number = 4; number < 4 + static_cast<int>(kCapacity); ++number) {
                model::require(put(queue, number), "all slots are there again");
            }
            for (std::size_t i = 0; i < kCapacity; ++i) {
                model::require(get(queue), "and work");
            }
        });
    });
}

// A message goes back and comes again, while another one reads the next and a third one puts.
model::Result put_back() {
    return model::check({.preemptions = 2}, [](model::Program& program) {
        auto world = std::make_shared<World<model::Atomics>>();
        auto producing = world->handle();
        for (int number = 1; number <= 2; ++number) {
            const auto claim = producing.claim_free(world->self());
            claim->slot->message = Item(number);
            producing.publish(*claim);
        }
        const auto get = [=](bool back) {
            auto queue = world->handle();
            const auto claim = queue.claim_message(world->self());
            if (!claim) return false;
            const int number = claim->slot->message.get();
            if (back) {
                queue.put_back(*claim);
            } else {
                queue.consume(*claim);
                world->got.push_back(number);
            }
            return true;
        };
        program.thread([=] { static_cast<void>(get(true)); });
        program.thread([=] { static_cast<void>(get(false)); });
        program.thread([=] { static_cast<void>(get(false)); });
        program.finally([=] {
            while (get(false)) {
            }
            std::sort(world->got.begin(), world->got.end());
            model::require(world->got == std::vector<int>{1, 2}, "each comes once");
        });
    });
}

struct Processes {
    struct Spinner {
        static bool spin() { return false; }
    };
    static os::ProcessIdentity self() { return model::this_thread() + 1; }
    static bool is_alive(os::ProcessIdentity process) { return !model::has_died(process - 1); }
    static bool is_time_to_look(std::atomic<std::int64_t>&) { return true; }
};
// Takes everybody for dead.
struct Undertaker : Processes {
    static bool is_alive(os::ProcessIdentity) { return false; }
};

// Two processes, of which one may die, change something under the lock until each of them has; who
// lives comes to it.
template <typename Atomics, typename LockProcesses>
model::Result taken_over() {
    return model::check({.preemptions = 6}, [](model::Program& program) {
        struct Shared {
            BasicLock<Atomics, LockProcesses> lock;
            Item count{0};
        };
        auto shared = std::make_shared<Shared>();
        for (int i = 0; i < 2; ++i) {
            program.thread(
                [=] {
                    std::atomic<std::int64_t> looked{0};
                    while (!shared->lock.try_take(looked)) model::Atomics::pause();
                    shared->count = Item(shared->count.get() + 1);
                    static_cast<void>(shared->lock.release());
                },
                i == 0);
        }
        program.finally([=] {
            model::require(shared->count.get() >= (model::has_died(0) ? 1 : 2), "each came to it");
        });
    });
}

// Three threads that sleep while they do not get the lock.
template <typename Waiting>
model::Result told() {
    return model::check({.preemptions = 3}, [](model::Program& program) {
        using Event = BasicEventCount<Waiting>;
        struct Shared {
            BasicLock<typename Waiting::Atomics, Processes> lock;
            Event event;
            Item count{0};
        };
        auto shared = std::make_shared<Shared>();
        const auto attempt = [=] {
            std::atomic<std::int64_t> looked{0};
            if (!shared->lock.try_take(looked)) return false;
            shared->count = Item(shared->count.get() + 1);
            if (shared->lock.release()) shared->event.notify_ordered(Event::kAll);
            return true;
        };
        for (int i = 0; i < 3; ++i) {
            program.thread([=] {
                while (!attempt()) {
                    typename Event::Waiter waiter(shared->event);
                    if (attempt()) break;
                    waiter.wait({});
                }
            });
        }
        program.finally([=] { model::require(shared->count.get() == 3, "each came to it"); });
    });
}

}  // namespace

TEST_CASE("slots of a queue, of which anybody may be killed at any point") {
    model::holds(one_to_one<model::Atomics>(1));
    model::holds(one_to_one<model::Atomics>(2));
    model::has_a_race(one_to_one<model::Relaxed>(1));
    CHECK(one_to_one<model::Atomics, false>(1).failure == "not so: all slots are there again");
}

TEST_CASE("a message that is given back comes again, once") {
    model::holds(put_back());
}

TEST_CASE("a lock whose owner is killed is taken over, and that of one who lives is not") {
    model::holds(taken_over<model::Atomics, Processes>());
    model::has_a_race(taken_over<model::Atomics, Undertaker>());
    model::has_a_race(taken_over<model::Relaxed, Processes>());
}

TEST_CASE("who waits for the lock is told of it") {
    model::holds(told<model::Waiting>());
    CHECK(told<model::Unfenced>().failure == "all threads wait for one another");
}
