#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "dwcp/os/scheduling.hpp"

using namespace dwcp::os;
using namespace std::chrono_literals;

namespace {

// In a thread of its own, so that the others keep what they have.
template <typename Work>
void in_thread(Work&& work) {
    std::thread(std::forward<Work>(work)).join();
}

}  // namespace

TEST_CASE("a thread stays where it is put") {
    const std::vector<int> usable = affinity();
    REQUIRE(!usable.empty());
    for (const int cpu : usable) {
        in_thread([&] {
            set_affinity({cpu, cpu});
            CHECK(affinity() == std::vector<int>{cpu});
            CHECK(current_cpu() == cpu);
            set_affinity(usable);
            CHECK(affinity() == usable);
        });
    }
    CHECK(affinity() == usable);
    CHECK(current_node() >= 0);
}

TEST_CASE("the affinity of another thread") {
    const std::vector<int> usable = affinity();
    set_affinity({usable.back()}, gettid());
    CHECK(affinity(gettid()) == std::vector<int>{usable.back()});
    set_affinity(usable, gettid());
    try {
        static_cast<void>(affinity(1 << 30));
        FAIL("no thread has that number");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ESRCH);
    }
}

TEST_CASE("processors that cannot be used are refused, and nothing changes") {
    const std::vector<int> usable = affinity();
    std::vector<int> with_one_more = usable;
    with_one_more.push_back(40'000);
    for (const std::vector<int>& wrong :
         {std::vector<int>{}, {-1}, {1 << 16}, {40'000}, with_one_more}) {
        CHECK_THROWS_AS(set_affinity(wrong), std::invalid_argument);
        CHECK(affinity() == usable);
    }
}

TEST_CASE("real-time scheduling is set, or the missing privilege is named") {
    in_thread([] {
        CHECK(policy() == Policy::kNormal);
        CHECK(priority() == 0);
        try {
            set_realtime(Policy::kFifo, 5);
            CHECK(policy() == Policy::kFifo);
            CHECK(priority() == 5);
            set_realtime(Policy::kRoundRobin, 7);
            CHECK(policy() == Policy::kRoundRobin);
            CHECK(priority() == 7);
            set_normal();
            CHECK(policy() == Policy::kNormal);
        } catch (const std::system_error& error) {
            CHECK(error.code().value() == EPERM);
            CHECK(std::string(error.what()).find("CAP_SYS_NICE") != std::string::npos);
        }
    });
}

TEST_CASE("deadlines are set, or refused with a reason") {
    in_thread([] {
        try {
            set_deadline(1ms, 10ms, 10ms);
            CHECK(policy() == Policy::kDeadline);
        } catch (const std::system_error& error) {
            // EBUSY where there is no time left, ENOSYS and EINVAL where the kernel has none.
            const int code = error.code().value();
            CHECK((code == EPERM || code == EBUSY || code == ENOSYS || code == EINVAL));
        }
    });
}

TEST_CASE("priorities and deadlines out of bounds are refused") {
    for (const int priority : {0, -1, 100}) {
        CHECK_THROWS_AS(set_realtime(Policy::kFifo, priority), std::invalid_argument);
    }
    CHECK_THROWS_AS(set_realtime(Policy::kNormal, 5), std::invalid_argument);
    CHECK_THROWS_AS(set_deadline(0ns, 1ms, 1ms), std::invalid_argument);
    CHECK_THROWS_AS(set_deadline(2ms, 1ms, 1ms), std::invalid_argument);
    CHECK_THROWS_AS(set_deadline(1ms, 2ms, 1ms), std::invalid_argument);
    CHECK(policy() == Policy::kNormal);
}
