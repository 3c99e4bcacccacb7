// Sleeping until a word in memory changes (futex(2)), between the threads of this process.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace dwcp::os {

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// Sleeps while `word` is `value`, until futex_wake(), a signal, the deadline or for no reason.
// Returns false only when the deadline passed. Throws std::system_error where the kernel has no
// futexes.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                const Deadline& deadline);

// Wakes at most `count` threads that sleep on `word`.
void futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept;

// Processors that this process may run on: with one, waiting in a loop keeps the other from
// running.
[[nodiscard]] int usable_cpus() noexcept;

}  // namespace dwcp::os
