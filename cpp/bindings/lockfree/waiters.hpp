// Python threads and event loops that wait for one side of a structure.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "dwcp/os/futex.hpp"

namespace dwcp::bindings::lockfree {

// Those who wait for items, or those who wait for room. No wake-up is lost: whoever waits
// registers, looks once more, and only then sleeps; whoever changes something does so before
// notify(). With the GIL both are done while holding it; without, both have a full fence between.
class Waiters {
  public:
    static constexpr int kAll = 0x7fff'ffff;

    // Registered from here to its end.
    class Registration {
      public:
        explicit Registration(Waiters& waiters) noexcept : waiters_(waiters) {
            waiters_.interested_.fetch_add(1, std::memory_order_relaxed);
            fence();  // pairs with notify()
            epoch_ = waiters_.epoch_.load(std::memory_order_acquire);
        }
        Registration(const Registration&) = delete;
        Registration& operator=(const Registration&) = delete;
        ~Registration() { waiters_.interested_.fetch_sub(1, std::memory_order_relaxed); }

        // Releases the GIL, spins for some microseconds where there is none, and sleeps, until
        // notify() was called since the registration, a signal, or the deadline. False with an
        // exception set when a signal handler raised one; `in_time` tells whether the deadline is
        // still to come.
        [[nodiscard]] bool wait(const os::Deadline& deadline, bool& in_time);

      private:
        Waiters& waiters_;
        std::uint32_t epoch_;
    };

    // Something changed that `count` of those who wait may go on with. Costs one load when nobody
    // waits, and a fence before that without a GIL.
    void notify(int count = 1) noexcept {
        fence();  // pairs with Registration
        if (interested_.load(std::memory_order_relaxed) != 0) wake(count);
    }

    // An eventfd to which `count` is written whenever notify(count) is called. The caller keeps it
    // open until it is removed. std::bad_alloc when there is no memory.
    void add_listener(int fd);
    // False when it is none.
    [[nodiscard]] bool remove_listener(int fd);

  private:
    static void fence() noexcept {
#ifdef Py_GIL_DISABLED
        std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
    }
    void wake(int count) noexcept;

    std::atomic<std::uint32_t> interested_{0};
    std::atomic<std::uint32_t> epoch_{0};
    std::atomic<std::uint32_t> sleeping_{0};
    std::mutex mutex_;  // of the listeners; never held while Python code runs
    std::vector<int> listeners_;
};

}  // namespace dwcp::bindings::lockfree
