// An object of Python for each structure, and what its calls have in common.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstddef>

#include "errors.hpp"
#include "lockfree/adapters.hpp"
#include "lockfree/waiters.hpp"

namespace dwcp::bindings::lockfree {

// Full and Empty of the module queue, and ShutDown, which is there from Python 3.13 on.
struct Exceptions {
    PyObject* full = nullptr;
    PyObject* empty = nullptr;
    PyObject* shut_down = nullptr;
};
extern Exceptions exceptions;

// How long a call may wait.
struct Patience {
    bool block = true;
    os::Deadline deadline;

    // From the arguments `block` and `timeout`, nullptr where not given. False with an exception
    // set.
    [[nodiscard]] bool parse(PyObject* block_argument, PyObject* timeout);
};

// False with TypeError, ValueError or OverflowError set unless it is an int from `min` on.
[[nodiscard]] bool to_count(PyObject* object, const char* name, std::size_t min,
                            std::size_t& count);

// Sets Full or Empty, or ShutDown.
void set_refusal(bool putting, bool is_shut_down) noexcept;

// Waits until `attempt` returns true; `putting` says which side it is on, and `waiters` are those
// of that side. False with Full, Empty, ShutDown or what a signal handler raised.
template <typename IsShutDown, typename Attempt>
bool wait_until(bool putting, Waiters& waiters, const Patience& patience, IsShutDown&& is_shut_down,
                Attempt&& attempt) {
    for (bool in_time = true;;) {
        Waiters::Registration registration(waiters);
        // What was put before the shutdown can be got after it, but nothing be put.
        const bool down = is_shut_down();
        if (!(putting && down) && attempt()) return true;
        if (down || !patience.block || !in_time) {
            set_refusal(putting, down);
            return false;
        }
        if (!registration.wait(patience.deadline, in_time)) return false;
    }
}

template <typename Adapter>
struct Structure {
    PyObject object;
    PyObject* weak_references;
    Adapter* adapter;
    Waiters items;
    Waiters room;
    std::atomic<bool> shut_down;

    static Structure& of(PyObject* self) noexcept { return *reinterpret_cast<Structure*>(self); }

    bool is_shut_down() const noexcept { return shut_down.load(std::memory_order_acquire); }

    // Takes over the reference when true.
    bool try_put(PyObject* item) {
        if (!adapter->try_put(item)) return false;
        items.notify();
        return true;
    }
    // A reference, or nullptr without an exception.
    PyObject* try_get() {
        PyObject* const item = adapter->try_get();
        if (Adapter::kBounded && item != nullptr) room.notify();
        return item;
    }

    template <typename Attempt>
    bool wait_until(bool putting, const Patience& patience, Attempt&& attempt) {
        return lockfree::wait_until(
            putting, putting ? room : items, patience, [this] { return is_shut_down(); }, attempt);
    }
};

}  // namespace dwcp::bindings::lockfree
