#include "dwcp/os/futex.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace dwcp::os {

namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

timespec to_timespec(std::chrono::steady_clock::time_point time) {
    // The steady clock is CLOCK_MONOTONIC, which FUTEX_WAIT_BITSET counts in.
    const auto since = time.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    return {static_cast<time_t>(seconds.count()),
            static_cast<long>(std::chrono::nanoseconds(since - seconds).count())};
}

int flag(Scope scope) {
    return scope == Scope::kProcess ? FUTEX_PRIVATE_FLAG : 0;
}

}  // namespace

bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                const Deadline& deadline, Scope scope) {
    timespec until{};
    if (deadline) {
        // The kernel takes no time before its own zero.
        if (deadline->time_since_epoch().count() < 0) return false;
        until = to_timespec(*deadline);
    }
    const long result = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | flag(scope), value,
                                deadline ? &until : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result == 0 || errno == EAGAIN || errno == EINTR) return true;
    if (errno == ETIMEDOUT) return false;
    throw std::system_error(errno, std::generic_category(), "futex");
}

void futex_wake(const std::atomic<std::uint32_t>& word, int count, Scope scope) noexcept {
    syscall(SYS_futex, &word, FUTEX_WAKE | flag(scope), count, nullptr, nullptr, 0);
}

int usable_cpus() noexcept {
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
    return CPU_COUNT(&cpus);
}

}  // namespace dwcp::os
