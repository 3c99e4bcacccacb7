// Processes, so that one that took the number of a dead one is not taken for it.
#pragma once

#include <atomic>
#include <cstdint>

namespace dwcp::os {

// The number of a process and when it started, in one word; 0 is nobody.
using ProcessIdentity = std::uint64_t;

namespace detail {
// Of the calling process, once it is known; 0 in the child of a fork.
extern std::atomic<ProcessIdentity> known_process;
[[nodiscard]] ProcessIdentity find_this_process() noexcept;
}  // namespace detail

// The calling process; changes in the child of a fork.
[[nodiscard]] inline ProcessIdentity this_process() noexcept {
    const ProcessIdentity known = detail::known_process.load(std::memory_order_relaxed);
    return known != 0 ? known : detail::find_this_process();
}

// Whether it runs, or could run: a zombie does not. Both must be in the same PID namespace. Reads
// /proc, which takes some 20 microseconds; where there is none, the number alone counts.
[[nodiscard]] bool is_alive(ProcessIdentity process) noexcept;

[[nodiscard]] int pid_of(ProcessIdentity process) noexcept;

}  // namespace dwcp::os
