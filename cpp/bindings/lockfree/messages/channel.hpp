// An object of Python for each structure that passes on messages, and what its calls have in
// common.
//
// An Adapter has: kName; the types Writing (room(), commit(size)) and Reading (data(), consume()),
// which give back what they hold when they end; try_reserve(size) and try_read(), which never wait;
// wait_until(putting, patience, attempt), false with an exception set; shutdown(), is_shut_down(),
// leave(), empty(), messages(), has_room(size), has_message().
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstddef>

#include "errors.hpp"
#include "lockfree/structure.hpp"

namespace dwcp::bindings::lockfree::messages {

// A number that threads change while they hold the GIL; without a GIL, at any time.
class Count {
  public:
#ifdef Py_GIL_DISABLED
    std::ptrdiff_t add(std::ptrdiff_t more) noexcept {
        return count_.fetch_add(more, std::memory_order_seq_cst) + more;
    }
    [[nodiscard]] std::ptrdiff_t get() const noexcept { return count_.load(); }

  private:
    std::atomic<std::ptrdiff_t> count_{0};
#else
    std::ptrdiff_t add(std::ptrdiff_t more) noexcept { return count_ += more; }
    [[nodiscard]] std::ptrdiff_t get() const noexcept { return count_; }

  private:
    std::ptrdiff_t count_ = 0;
#endif
};

template <typename Adapter>
struct Channel {
    PyObject object;
    PyObject* weak_references;
    // Deleted when it is closed and nobody uses it any more.
    std::atomic<Adapter*> adapter;
    Count users;  // calls that are under way, and messages in hand
    std::atomic<bool> closed;

    static Channel& of(PyObject* self) noexcept { return *reinterpret_cast<Channel*>(self); }

    void close() noexcept {
        users.add(1);
        // Those who are at it, also threads that a fork left behind, keep the memory.
        if (!closed.exchange(true)) adapter.load()->leave();
        drop_user();
    }
    void drop_user() noexcept {
        if (users.add(-1) == 0 && closed.load()) delete adapter.exchange(nullptr);
    }
};

// Keeps the adapter of a channel for a while.
template <typename Adapter>
class Use {
  public:
    explicit Use(Channel<Adapter>& channel) noexcept : channel_(channel) {
        channel_.users.add(1);
        open_ = !channel_.closed.load(std::memory_order_seq_cst);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { channel_.drop_user(); }

    // False with Closed set.
    [[nodiscard]] bool check() const noexcept {
        if (!open_) set_dwcp_error("Closed", "it was closed");
        return open_;
    }
    Adapter& operator*() const noexcept {
        return *channel_.adapter.load(std::memory_order_relaxed);
    }
    Adapter* operator->() const noexcept {
        return channel_.adapter.load(std::memory_order_relaxed);
    }

  private:
    Channel<Adapter>& channel_;
    bool open_;
};

}  // namespace dwcp::bindings::lockfree::messages
