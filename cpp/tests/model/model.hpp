// A model checker for small concurrent programs on C++ atomics.
//
//     const model::Result result = model::check({}, [](model::Program& program) {
//         auto ring = std::make_shared<SpscRing<model::Value<int>, model::Atomics>>(1);
//         program.thread([ring] { ... });
//         program.thread([ring] { ... });
//         program.finally([ring] { model::require(..., "nothing is lost"); });
//     });
//     CHECK(result.failure == "");
//
// The program is run again and again, each time with another choice of which thread makes the next
// step and of which store a load reads. An operation on an atomic is a step; at most `preemptions`
// times in a run a thread is taken off that could go on. Loads may read older stores as far as the
// standard allows: not what is older than a store that happened before, or than one the thread has
// read. Release and acquire, release sequences and fences are followed by vector clocks. Operations
// and fences of seq_cst order are made in one total order, in which each sees what those before it
// saw: somewhat stronger than the standard. Not modelled: loads that read from stores later in
// their own future.
//
// After C. Norris and B. Demsky (CDSChecker, OOPSLA 2013), in a small way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "dwcp/os/futex.hpp"

namespace dwcp::model {

struct Options {
    unsigned preemptions = 2;
    // An older store is read at most so many times in a row by a thread, or loops would never end.
    unsigned stale_reads = 1;
    std::size_t runs_max = 2'000'000;
    std::size_t steps_max = 5'000;  // of one run
    unsigned deaths = 1;            // of mortal threads in a run, at most
};

struct Result {
    std::size_t runs = 0;
    bool complete = false;  // all choices were tried
    std::string failure;    // empty when there was none
};

class Program {
  public:
    // A mortal one may end before any of its steps, as a process that is killed.
    void thread(std::function<void()> work, bool mortal = false);
    // What is looked at when all threads are through.
    void finally(std::function<void()> work);
};

Result check(const Options& options, const std::function<void(Program&)>& setup);

// Ends the search with this failure unless it holds.
void require(bool holds, const char* what);

// Threads are numbered from 0 on in the order in which they were added. A thread that learns of a
// death also sees all that the dead one did.
[[nodiscard]] std::size_t this_thread();
[[nodiscard]] bool has_died(std::size_t thread);

namespace detail {

// Numbers of the objects of one run, and the operations on them. Values travel as 64 bits.
std::size_t new_location(std::uint64_t value);
std::uint64_t load(std::size_t location, std::memory_order order);
void store(std::size_t location, std::uint64_t value, std::memory_order order);
// Reads the newest store, and stores what `change` makes of it unless it returns false.
std::uint64_t modify(std::size_t location, std::memory_order success, std::memory_order failure,
                     const std::function<bool(std::uint64_t& value)>& change);
void fence(std::memory_order order);
void pause();
// futex(2)
void wait(std::size_t location, std::uint64_t value);
void wake(std::size_t location, int count);
std::uintptr_t thread_token();

std::size_t new_value();
void read_value(std::size_t value);
void write_value(std::size_t value);

template <typename T>
std::uint64_t to_word(T value) {
    if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<std::uint64_t>(value);
    } else {
        return static_cast<std::uint64_t>(value);
    }
}
template <typename T>
T from_word(std::uint64_t word) {
    if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<T>(word);
    } else {
        return static_cast<T>(word);
    }
}

}  // namespace detail

template <typename T>
class Atomic {
  public:
    Atomic() noexcept : Atomic(T()) {}
    Atomic(T value) noexcept : location_(detail::new_location(detail::to_word(value))) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load(std::memory_order order) const noexcept {
        return detail::from_word<T>(detail::load(location_, order));
    }
    void store(T value, std::memory_order order) noexcept {
        detail::store(location_, detail::to_word(value), order);
    }
    T exchange(T value, std::memory_order order) noexcept {
        return modify(order, [&](T& now) { now = value; });
    }
    T fetch_add(T value, std::memory_order order) noexcept {
        return modify(order, [&](T& now) { now = static_cast<T>(now + value); });
    }
    T fetch_sub(T value, std::memory_order order) noexcept {
        return modify(order, [&](T& now) { now = static_cast<T>(now - value); });
    }
    bool compare_exchange_strong(T& expected, T value, std::memory_order success,
                                 std::memory_order failure) noexcept {
        bool same = false;
        const std::uint64_t found =
            detail::modify(location_, success, failure, [&](std::uint64_t& now) {
                same = now == detail::to_word(expected);
                if (same) now = detail::to_word(value);
                return same;
            });
        expected = detail::from_word<T>(found);
        return same;
    }
    bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                               std::memory_order failure) noexcept {
        return compare_exchange_strong(expected, value, success, failure);
    }

    [[nodiscard]] std::size_t location() const noexcept { return location_; }

  private:
    template <typename Change>
    T modify(std::memory_order order, Change&& change) {
        return detail::from_word<T>(
            detail::modify(location_, order, order, [&](std::uint64_t& now) {
                T value = detail::from_word<T>(now);
                change(value);
                now = detail::to_word(value);
                return true;
            }));
    }
    std::size_t location_;
};

struct Atomics {
    template <typename T>
    using atomic = Atomic<T>;
    static void fence(std::memory_order order) { detail::fence(order); }
    static void pause() { detail::pause(); }
    static std::uintptr_t thread_token() { return detail::thread_token(); }
};

// In place of lockfree::SystemWaiting.
struct Waiting {
    using Atomics = model::Atomics;
    // Goes to sleep at once: what happens before is what happens when an attempt is made.
    struct Spinner {
        static bool spin() { return false; }
    };
    static bool wait(const Atomic<std::uint32_t>& word, std::uint32_t value, const os::Deadline&,
                     os::Scope) {
        detail::wait(word.location(), value);
        return true;
    }
    static void wake(const Atomic<std::uint32_t>& word, int count, os::Scope) {
        detail::wake(word.location(), count);
    }
};

// An object that is not atomic: two accesses of which one writes, and neither happened before the
// other, are a failure.
template <typename T>
class Value {
  public:
    Value() noexcept : Value(T()) {}
    Value(T value) noexcept : value_(value), number_(detail::new_value()) {
        detail::write_value(number_);
    }
    Value(const Value& other) noexcept : Value(other.get()) {}
    Value(Value&& other) noexcept : Value(other.get()) {}
    Value& operator=(const Value& other) noexcept {
        const T value = other.get();
        detail::write_value(number_);
        value_ = value;
        return *this;
    }
    Value& operator=(Value&& other) noexcept { return *this = static_cast<const Value&>(other); }
    ~Value() { detail::write_value(number_); }

    T get() const noexcept {
        detail::read_value(number_);
        return value_;
    }

  private:
    T value_;
    std::size_t number_;
};

}  // namespace dwcp::model
