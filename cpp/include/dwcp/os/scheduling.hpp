// On which processors a thread may run, and how urgently.
#pragma once

#include <chrono>
#include <vector>

namespace dwcp::os {

// `thread` is the kernel's number of a thread (gettid), 0 for the calling one. All throw
// std::system_error, with ESRCH for a thread that is not there.

// Numbers in rising order.
[[nodiscard]] std::vector<int> affinity(int thread = 0);
// Exactly these from here on. Throws std::invalid_argument, having changed nothing, for none at
// all, a negative number or a processor that this process may not use.
void set_affinity(const std::vector<int>& cpus, int thread = 0);

// Where the calling thread runs just now.
[[nodiscard]] int current_cpu();
[[nodiscard]] int current_node();

enum class Policy { kNormal, kFifo, kRoundRobin, kDeadline };
[[nodiscard]] Policy policy(int thread = 0);
// 1 (least) to 99; 0 under kNormal and kDeadline.
[[nodiscard]] int priority(int thread = 0);

// sched(7). Throw std::system_error with EPERM and what to do where the privilege is missing.
void set_normal(int thread = 0);
// Throws std::invalid_argument unless `policy` is kFifo or kRoundRobin and `priority` from 1 to 99.
void set_realtime(Policy policy, int priority, int thread = 0);
// `runtime` in each `period`, until `deadline` after its beginning. Throws std::invalid_argument
// unless 1 us <= runtime <= deadline <= period.
void set_deadline(std::chrono::nanoseconds runtime, std::chrono::nanoseconds deadline,
                  std::chrono::nanoseconds period, int thread = 0);

}  // namespace dwcp::os
