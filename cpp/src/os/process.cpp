#include "dwcp/os/process.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string_view>

namespace dwcp::os {

namespace {

// Linux gives no numbers from 2^22 on; 42 bits of hundredths of a second are a thousand years.
constexpr unsigned kPidBits = 22;

struct Stat {
    char state = '?';
    std::uint64_t started = 0;  // in clock ticks after boot
};

// proc_pid_stat(5), fields 3 and 22. The name before them may contain anything.
std::optional<Stat> parse_stat(std::string_view text) {
    const std::size_t end = text.rfind(')');
    if (end == std::string_view::npos || end + 2 >= text.size()) return std::nullopt;
    std::string_view rest = text.substr(end + 2);
    Stat stat;
    stat.state = rest.front();
    for (int field = 3; field < 22; ++field) {
        const std::size_t blank = rest.find(' ');
        if (blank == std::string_view::npos) return std::nullopt;
        rest.remove_prefix(blank + 1);
    }
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), stat.started);
    if (parsed.ec != std::errc()) return std::nullopt;
    return stat;
}

std::optional<Stat> read_stat(int pid) {
    // By way of its first thread: emulators answer for /proc/PID/stat of their own process
    // themselves, and otherwise than others see it.
    std::array<char, 48> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/task/%d/stat", pid, pid);
    const int fd = open(path.data(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    std::array<char, 1024> text{};
    const ssize_t length = read(fd, text.data(), text.size());
    close(fd);
    if (length <= 0) return std::nullopt;
    return parse_stat({text.data(), static_cast<std::size_t>(length)});
}

ProcessIdentity identify(int pid) {
    const std::optional<Stat> stat = read_stat(pid);
    const std::uint64_t started = stat ? stat->started : 0;
    return started << kPidBits | static_cast<std::uint64_t>(pid);
}

bool exists(int pid) {
    return pid > 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}

void forget() {
    detail::known_process.store(0, std::memory_order_relaxed);
}

}  // namespace

namespace detail {

std::atomic<ProcessIdentity> known_process{0};

ProcessIdentity find_this_process() noexcept {
    [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, forget);
    const ProcessIdentity found = identify(getpid());
    known_process.store(found, std::memory_order_relaxed);
    return found;
}

}  // namespace detail

int pid_of(ProcessIdentity process) noexcept {
    return static_cast<int>(process & ((std::uint64_t{1} << kPidBits) - 1));
}

bool is_alive(ProcessIdentity process) noexcept {
    if (process == 0) return false;
    if (process == this_process()) return true;
    const int pid = pid_of(process);
    if (!exists(pid)) return false;
    const std::optional<Stat> stat = read_stat(pid);
    // It has ended meanwhile, or there is no /proc, or it is hidden there.
    if (!stat) return exists(pid);
    const std::uint64_t started = process >> kPidBits;
    return stat->state != 'Z' && stat->state != 'X' && (started == 0 || stat->started == started);
}

}  // namespace dwcp::os
