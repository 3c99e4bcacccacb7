#include "lockfree/waiters.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "dwcp/lockfree/waiting.hpp"

namespace nb = nanobind;

namespace dwcp::bindings::lockfree {

namespace {

#ifdef Py_GIL_DISABLED
constexpr auto kSpinTime = dwcp::lockfree::Spinner::kTime;
#else
// Who spins sees a change while the thread that made it still has the GIL, and has to go to sleep
// for that: a way there and back takes four times as long as when both sleep at once.
constexpr std::chrono::microseconds kSpinTime{0};
#endif

}  // namespace

bool Waiters::Registration::wait(const os::Deadline& deadline, bool& in_time) {
    {
        const nb::gil_scoped_release release;
        dwcp::lockfree::Spinner spinner(kSpinTime);
        while (waiters_.epoch_.load(std::memory_order_acquire) == epoch_ && spinner.spin()) {
        }
        // Seen by wake(), or the epoch is seen to have moved: both have seq_cst order.
        waiters_.sleeping_.fetch_add(1, std::memory_order_seq_cst);
        if (waiters_.epoch_.load(std::memory_order_seq_cst) == epoch_) {
            os::futex_wait(waiters_.epoch_, epoch_, deadline);
        }
        waiters_.sleeping_.fetch_sub(1, std::memory_order_relaxed);
        // Also when it was woken, over and over again, for what others then took.
        in_time = !deadline || std::chrono::steady_clock::now() < *deadline;
    }
    if (PyErr_CheckSignals() == 0) return true;
    // The wake-up may have been for this thread, which goes without what it waited for.
    waiters_.notify(1);
    return false;
}

void Waiters::wake(int count) noexcept {
    epoch_.fetch_add(1, std::memory_order_seq_cst);  // pairs with wait()
    if (sleeping_.load(std::memory_order_seq_cst) != 0) os::futex_wake(epoch_, count);
    const std::lock_guard lock(mutex_);
    for (const int fd : listeners_) {
        const auto value = static_cast<std::uint64_t>(count);
        // An eventfd is only full when it was not read 2^33 times; it is readable then all the
        // same.
        [[maybe_unused]] const ssize_t written = ::write(fd, &value, sizeof value);
    }
}

void Waiters::add_listener(int fd) {
    {
        const std::lock_guard lock(mutex_);
        listeners_.push_back(fd);
    }
    interested_.fetch_add(1, std::memory_order_relaxed);
    fence();  // pairs with notify(); the caller looks once more
}

bool Waiters::remove_listener(int fd) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find(listeners_.begin(), listeners_.end(), fd);
    if (found == listeners_.end()) return false;
    listeners_.erase(found);
    interested_.fetch_sub(1, std::memory_order_relaxed);
    return true;
}

}  // namespace dwcp::bindings::lockfree
