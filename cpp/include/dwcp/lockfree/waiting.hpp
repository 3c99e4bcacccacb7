// Waiting for a lock-free structure to have an item, or room for one. Needs dwcp::core.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/os/futex.hpp"

namespace dwcp::lockfree {

// Tries for some microseconds before sleeping pays: a wake-up through the kernel takes twice as
// long and more. Not at all on one processor, where nobody else runs meanwhile.
class Spinner {
  public:
    // Less than what a wake-up costs, which this may save.
    static constexpr std::chrono::microseconds kTime{20};

    explicit Spinner(std::chrono::nanoseconds time = kTime) noexcept : time_(time) {}

    // False when it is time to sleep.
    bool spin() noexcept {
        static const bool kOthersRun = os::usable_cpus() > 1;
        if (!kOthersRun) return false;
        // Not each time: a look at the clock takes as long as one at most structures.
        if (count_++ % 8 == 0) {
            const auto now = std::chrono::steady_clock::now();
            if (count_ == 1) end_ = now + time_;
            if (now >= end_) return false;
        }
        StdAtomics::pause();
        return true;
    }

  private:
    std::chrono::nanoseconds time_;
    std::chrono::steady_clock::time_point end_;
    unsigned count_ = 0;
};

// How the system lets threads wait: a template parameter beside the atomics, for the model checker.
struct SystemWaiting {
    using Atomics = StdAtomics;
    using Spinner = lockfree::Spinner;
    static bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                     const os::Deadline& deadline, os::Scope scope) {
        return os::futex_wait(word, value, deadline, scope);
    }
    static void wake(const std::atomic<std::uint32_t>& word, int count, os::Scope scope) noexcept {
        os::futex_wake(word, count, scope);
    }
};

// Threads that sleep until something may have changed. No wake-up is lost: whoever wants to sleep
// says so by a Waiter, looks once more, and only then waits; whoever changes something does so
// before notify(). One of the two sees the other, because both have a full fence between. In shared
// memory who is killed in its sleep stays counted: that costs the others a system call for each
// change, and nothing else.
template <typename Waiting = SystemWaiting, os::Scope kScope = os::Scope::kProcess>
class BasicEventCount {
    using Atomics = typename Waiting::Atomics;
    using Word = typename Atomics::template atomic<std::uint32_t>;

  public:
    static constexpr int kAll = 0x7fff'ffff;

    // From its beginning on notify() counts.
    class Waiter {
      public:
        explicit Waiter(BasicEventCount& event) noexcept : event_(event) {
            event_.waiters_.fetch_add(1, std::memory_order_relaxed);
            Atomics::fence(std::memory_order_seq_cst);  // pairs with notify()
            key_ = event_.epoch_.load(std::memory_order_acquire);
        }
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        ~Waiter() { event_.waiters_.fetch_sub(1, std::memory_order_relaxed); }

        // Sleeps unless notify() was called meanwhile. Returns when it is, when a signal came, or
        // without a reason; false only when the deadline passed.
        bool wait(const os::Deadline& deadline) {
            return Waiting::wait(event_.epoch_, key_, deadline, kScope);
        }

      private:
        BasicEventCount& event_;
        std::uint32_t key_;
    };

    // Wakes `count` of those who wait; costs a fence when nobody does.
    void notify(int count = 1) noexcept {
        Atomics::fence(std::memory_order_seq_cst);  // pairs with Waiter()
        notify_ordered(count);
    }
    // The same where something else already keeps what was changed before what is read here.
    void notify_ordered(int count = 1) noexcept {
        if (waiters_.load(std::memory_order_relaxed) == 0) return;
        epoch_.fetch_add(1, std::memory_order_release);
        Waiting::wake(epoch_, count, kScope);
    }

  private:
    Word epoch_{0};
    Word waiters_{0};
};
using EventCount = BasicEventCount<>;

enum class Status {
    kDone,
    kTimedOut,  // still full or still empty
    kShutDown,  // by shutdown(); for get() only once the queue is empty
};

// A queue with calls that wait: put and get with a timeout, and shutdown(), as queue.Queue of
// Python has them. `Queue` is any structure of this folder with try_get; thread rules are those of
// the queue.
template <typename Queue, typename Waiting = SystemWaiting>
class Blocking {
    using Event = BasicEventCount<Waiting>;

  public:
    using value_type = typename Queue::value_type;
    using Timeout = std::optional<std::chrono::nanoseconds>;

    template <typename... Arguments>
    explicit Blocking(Arguments&&... arguments) : queue_(std::forward<Arguments>(arguments)...) {}

    // Waits while the queue is full, for ever without a timeout. The item is moved from only when
    // the result is kDone.
    [[nodiscard]] Status put(value_type&& item, Timeout timeout = std::nullopt) {
        return wait_for(room_, timeout, [&] { return try_put(std::move(item)); });
    }
    [[nodiscard]] Status put(const value_type& item, Timeout timeout = std::nullopt) {
        return wait_for(room_, timeout, [&] { return try_put(item); });
    }
    // Waits while the queue is empty, for ever without a timeout.
    [[nodiscard]] Status get(value_type& item, Timeout timeout = std::nullopt) {
        return wait_for(items_, timeout, [&] { return try_get(item); });
    }

    // Never wait. try_put() is false also after shutdown().
    template <typename Item>
    [[nodiscard]] bool try_put(Item&& item) {
        if (is_shut_down()) return false;
        if constexpr (requires {
                          { queue_.try_put(std::forward<Item>(item)) } -> std::same_as<bool>;
                      }) {
            if (!queue_.try_put(std::forward<Item>(item))) return false;
        } else {
            queue_.put(std::forward<Item>(item));
        }
        items_.notify();
        return true;
    }
    [[nodiscard]] bool try_get(value_type& item) {
        if (!queue_.try_get(item)) return false;
        room_.notify();
        return true;
    }

    // From here on nothing is put; what is there can still be got, unless `immediate` drops it.
    // Wakes all who wait. May be called again, and from any thread where clear() of the queue may
    // be.
    void shutdown(bool immediate = false) noexcept {
        shut_down_.store(true, std::memory_order_seq_cst);
        if (immediate) queue_.clear();
        items_.notify(Event::kAll);
        room_.notify(Event::kAll);
    }
    [[nodiscard]] bool is_shut_down() const noexcept {
        return shut_down_.load(std::memory_order_seq_cst);
    }

    [[nodiscard]] Queue& queue() noexcept { return queue_; }

  private:
    static os::Deadline deadline_after(Timeout timeout) {
        const auto now = std::chrono::steady_clock::now();
        if (!timeout || *timeout > std::chrono::steady_clock::time_point::max() - now) return {};
        return now + *timeout;
    }

    template <typename Try>
    Status wait_for(Event& event, Timeout timeout, Try&& attempt) {
        if (attempt()) return Status::kDone;
        const os::Deadline deadline = deadline_after(timeout);
        typename Waiting::Spinner spinner;
        for (bool in_time = true;;) {
            // What was put before the shutdown can be got after it.
            const bool shut_down = is_shut_down();
            if (attempt()) return Status::kDone;
            if (shut_down) return Status::kShutDown;
            if (!in_time || (timeout && timeout->count() <= 0)) return Status::kTimedOut;
            if (spinner.spin()) continue;
            typename Event::Waiter waiter(event);
            if (attempt()) return Status::kDone;
            if (is_shut_down()) continue;
            in_time = waiter.wait(deadline);
        }
    }

    Queue queue_;
    Event items_;
    Event room_;
    typename Waiting::Atomics::template atomic<bool> shut_down_{false};
};

}  // namespace dwcp::lockfree
