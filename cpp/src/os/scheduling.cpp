#include "dwcp/os/scheduling.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>

#include "os/listed.hpp"

namespace dwcp::os {

namespace {

constexpr int kCpusMax = 1 << 16;

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}
[[noreturn]] void fail_for(int thread, const std::string& what) {
    if (errno == ESRCH) fail(what + ": there is no thread " + std::to_string(thread));
    fail(what);
}

// As many words as the kernel has processors, which it tells by refusing fewer.
class CpuSet {
  public:
    explicit CpuSet(int cpus) : words_(static_cast<std::size_t>(cpus) / kWordBits + 1, 0) {}

    void add(int cpu) {
        words_[static_cast<std::size_t>(cpu) / kWordBits] |=
            Word{1} << static_cast<std::size_t>(cpu) % kWordBits;
    }
    [[nodiscard]] std::vector<int> numbers() const {
        std::vector<int> found;
        for (std::size_t i = 0; i < words_.size() * kWordBits; ++i) {
            if ((words_[i / kWordBits] >> i % kWordBits & 1) != 0) {
                found.push_back(static_cast<int>(i));
            }
        }
        return found;
    }
    cpu_set_t* get() { return reinterpret_cast<cpu_set_t*>(words_.data()); }
    [[nodiscard]] std::size_t size_bytes() const { return words_.size() * sizeof(Word); }

  private:
    using Word = unsigned long;
    static constexpr std::size_t kWordBits = 8 * sizeof(Word);
    std::vector<Word> words_;
};

// sched_setattr(2), which glibc 2.36 does not have.
struct Attributes {
    std::uint32_t size = sizeof(Attributes);
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0;
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};
constexpr std::uint32_t kSchedDeadline = 6;

[[noreturn]] void refuse(int thread, const std::string& what) {
    if (errno == EPERM) {
        fail(what +
             " needs the capability CAP_SYS_NICE, or a limit of real-time priority that "
             "allows it (ulimit -r, LimitRTPRIO= of systemd)");
    }
    if (errno == EBUSY) {
        fail(what + ": the processors have not so much time left for deadlines");
    }
    fail_for(thread, what);
}

}  // namespace

std::vector<int> affinity(int thread) {
    for (int cpus = 1024; cpus <= kCpusMax; cpus *= 2) {
        CpuSet set(cpus);
        if (sched_getaffinity(thread, set.size_bytes(), set.get()) == 0) return set.numbers();
        if (errno != EINVAL) break;
    }
    fail_for(thread, "sched_getaffinity");
}

void set_affinity(const std::vector<int>& cpus, int thread) {
    if (cpus.empty()) throw std::invalid_argument("cpus must name at least one processor");
    std::vector<int> wanted = cpus;
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (wanted.front() < 0 || wanted.back() >= kCpusMax) {
        throw std::invalid_argument("cpus must be numbers of processors, 0 to 65535, but are " +
                                    listed(cpus));
    }
    const std::vector<int> before = affinity(thread);
    const auto apply = [&](const std::vector<int>& numbers) {
        CpuSet set(numbers.back());
        for (const int cpu : numbers) set.add(cpu);
        return sched_setaffinity(thread, set.size_bytes(), set.get()) == 0;
    };
    // The kernel leaves out without a word what the process may not use.
    if (!apply(wanted)) {
        if (errno != EINVAL) fail_for(thread, "sched_setaffinity");
    } else if (affinity(thread) == wanted) {
        return;
    } else {
        apply(before);
    }
    throw std::invalid_argument(
        "cpus must be processors that are there and that this process may "
        "use (cpuset), but are " +
        listed(cpus));
}

int current_cpu() {
    const int cpu = sched_getcpu();
    if (cpu < 0) fail("sched_getcpu");
    return cpu;
}
int current_node() {
    unsigned cpu = 0;
    unsigned node = 0;
    if (syscall(SYS_getcpu, &cpu, &node, nullptr) != 0) fail("getcpu");
    return static_cast<int>(node);
}

Policy policy(int thread) {
    const int found = sched_getscheduler(thread);
    if (found < 0) fail_for(thread, "sched_getscheduler");
    // With it comes that children begin anew.
    switch (static_cast<unsigned>(found) & ~static_cast<unsigned>(SCHED_RESET_ON_FORK)) {
        case SCHED_FIFO:
            return Policy::kFifo;
        case SCHED_RR:
            return Policy::kRoundRobin;
        case kSchedDeadline:
            return Policy::kDeadline;
        default:
            return Policy::kNormal;
    }
}

int priority(int thread) {
    sched_param found{};
    if (sched_getparam(thread, &found) != 0) fail_for(thread, "sched_getparam");
    return found.sched_priority;
}

void set_normal(int thread) {
    const sched_param wanted{};
    if (sched_setscheduler(thread, SCHED_OTHER, &wanted) != 0) refuse(thread, "SCHED_OTHER");
}

void set_realtime(Policy policy, int priority, int thread) {
    if (policy != Policy::kFifo && policy != Policy::kRoundRobin) {
        throw std::invalid_argument("policy must be fifo or rr");
    }
    if (priority < 1 || priority > 99) {
        throw std::invalid_argument("priority must be 1 to 99, but is " + std::to_string(priority));
    }
    sched_param wanted{};
    wanted.sched_priority = priority;
    const bool fifo = policy == Policy::kFifo;
    if (sched_setscheduler(thread, fifo ? SCHED_FIFO : SCHED_RR, &wanted) != 0) {
        refuse(thread, (fifo ? "SCHED_FIFO with priority " : "SCHED_RR with priority ") +
                           std::to_string(priority));
    }
}

void set_deadline(std::chrono::nanoseconds runtime, std::chrono::nanoseconds deadline,
                  std::chrono::nanoseconds period, int thread) {
    if (runtime < std::chrono::microseconds(1) || deadline < runtime || period < deadline) {
        throw std::invalid_argument("must be 1 us <= runtime <= deadline <= period, but are " +
                                    std::to_string(runtime.count()) + ", " +
                                    std::to_string(deadline.count()) + " and " +
                                    std::to_string(period.count()) + " ns");
    }
    Attributes wanted;
    wanted.policy = kSchedDeadline;
    wanted.runtime = static_cast<std::uint64_t>(runtime.count());
    wanted.deadline = static_cast<std::uint64_t>(deadline.count());
    wanted.period = static_cast<std::uint64_t>(period.count());
    if (syscall(SYS_sched_setattr, thread, &wanted, 0) != 0) refuse(thread, "SCHED_DEADLINE");
}

}  // namespace dwcp::os
