// Processes, so that one that took the number of a dead one is not taken for it.
#pragma once

#include <cstdint>

namespace dwcp::os {

// The number of a process and when it started, in one word; 0 is nobody.
using ProcessIdentity = std::uint64_t;

// The calling process; changes in the child of a fork.
[[nodiscard]] ProcessIdentity this_process() noexcept;

// Whether it runs, or could run: a zombie does not. Both must be in the same PID namespace. Reads
// /proc, which takes some 20 microseconds; where there is none, the number alone counts.
[[nodiscard]] bool is_alive(ProcessIdentity process) noexcept;

[[nodiscard]] int pid_of(ProcessIdentity process) noexcept;

}  // namespace dwcp::os
