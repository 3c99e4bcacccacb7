// Sleeping until a word in memory changes (futex(2)).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace dwcp::os {

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// Whether those who sleep on a word are threads of this process, or of any that has the memory.
enum class Scope { kProcess, kShared };

// Sleeps while `word` is `value`, until futex_wake(), a signal, the deadline or for no reason.
// Returns false only when the deadline passed. Throws std::system_error where the kernel has no
// futexes.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                const Deadline& deadline, Scope scope = Scope::kProcess);

// Wakes at most `count` threads that sleep on `word`.
void futex_wake(const std::atomic<std::uint32_t>& word, int count,
                Scope scope = Scope::kProcess) noexcept;

// Processors that this process may run on: with one, waiting in a loop keeps the other from
// running.
[[nodiscard]] int usable_cpus() noexcept;

}  // namespace dwcp::os
