// The C++ structures as containers of Python objects: what differs between them.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstddef>

#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/lockfree/stack.hpp"

namespace dwcp::bindings::lockfree {

// Without a GIL several threads may be on a side that takes one: they take turns. With one, calls
// do.
class Side {
  public:
    class Turn {
      public:
        explicit Turn([[maybe_unused]] Side& side) noexcept {
#ifdef Py_GIL_DISABLED
            side_ = &side;
            while (side.busy_.exchange(true, std::memory_order_acquire)) {
                while (side.busy_.load(std::memory_order_relaxed)) {
                    dwcp::lockfree::StdAtomics::pause();
                }
            }
        }
        ~Turn() {
            side_->busy_.store(false, std::memory_order_release);  // pairs with the exchange
        }

      private:
        Side* side_;
#else
        }
        ~Turn() {}
#endif
    };

  private:
#ifdef Py_GIL_DISABLED
    alignas(dwcp::lockfree::kSeparationBytes) std::atomic<bool> busy_{false};
#endif
};

// For any number of threads. Without a GIL an object could be taken, given up by its last owner and
// freed between the moment when peek() sees it and that when it owns it: so whoever takes one waits
// while somebody peeks.
template <typename Queue, bool kIsBounded>
class Shared {
  public:
    static constexpr bool kBounded = kIsBounded;

    template <typename... Arguments>
    explicit Shared(Arguments... arguments) : queue_(arguments...) {}

    bool try_put(PyObject* item) {
        if constexpr (kBounded) {
            return queue_.try_put(item);
        } else {
            queue_.put(item);
            return true;
        }
    }
    // How many of the items were put. Those before an exception, too.
    template <typename Iterator>
    std::size_t put_many(Iterator first, std::size_t count) {
        if constexpr (kBounded) {
            return queue_.put_many(first, count);
        } else {
            queue_.put_many(first, count);
            return count;
        }
    }
    PyObject* try_get() {
        PyObject* item = nullptr;
        if (!queue_.try_get(item)) return nullptr;
        wait_for_peekers();
        return item;
    }
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        const std::size_t count = queue_.get_many(out, max);
        if (count > 0) wait_for_peekers();
        return count;
    }
    // A new reference.
    PyObject* peek() {
        PyObject* item = nullptr;
#ifdef Py_GIL_DISABLED
        peekers_.fetch_add(1, std::memory_order_seq_cst);  // pairs with wait_for_peekers()
#endif
        if (!queue_.peek(item)) item = nullptr;
        Py_XINCREF(item);
#ifdef Py_GIL_DISABLED
        peekers_.fetch_sub(1, std::memory_order_release);  // pairs with wait_for_peekers()
#endif
        return item;
    }
    [[nodiscard]] std::size_t size() const { return queue_.size(); }
    [[nodiscard]] std::size_t capacity() const
        requires kBounded
    {
        return queue_.capacity();
    }
    template <typename Function>
    void for_each(Function&& look) const {
        queue_.for_each(look);
    }

  private:
    void wait_for_peekers() const noexcept {
#ifdef Py_GIL_DISABLED
        std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with peek()
        while (peekers_.load(std::memory_order_acquire) != 0) dwcp::lockfree::StdAtomics::pause();
#endif
    }

    Queue queue_;
#ifdef Py_GIL_DISABLED
    alignas(dwcp::lockfree::kSeparationBytes) std::atomic<unsigned> peekers_{0};
#endif
};

class Spsc {
  public:
    static constexpr bool kBounded = true;

    explicit Spsc(std::size_t capacity) : ring_(capacity) {}

    bool try_put(PyObject* item) {
        const Side::Turn turn(producer_);
        return ring_.try_put(item);
    }
    template <typename Iterator>
    std::size_t put_many(Iterator first, std::size_t count) {
        const Side::Turn turn(producer_);
        return ring_.put_many(first, count);
    }
    PyObject* try_get() {
        const Side::Turn turn(consumer_);
        PyObject* item = nullptr;
        return ring_.try_get(item) ? item : nullptr;
    }
    template <typename Iterator>
    std::size_t get_many(Iterator out, std::size_t max) {
        const Side::Turn turn(consumer_);
        return ring_.get_many(out, max);
    }
    PyObject* peek() {
        const Side::Turn turn(consumer_);
        PyObject* found = nullptr;
        ring_.peek([&](PyObject* item) {
            Py_INCREF(item);
            found = item;
        });
        return found;
    }
    [[nodiscard]] std::size_t size() const { return ring_.size(); }
    [[nodiscard]] std::size_t capacity() const { return ring_.capacity(); }
    template <typename Function>
    void for_each(Function&& look) const {
        ring_.for_each(look);
    }

  private:
    dwcp::lockfree::SpscRing<PyObject*> ring_;
    Side producer_;
    Side consumer_;
};

using Mpmc = Shared<dwcp::lockfree::MpmcQueue<PyObject*>, true>;
using Unbounded = Shared<dwcp::lockfree::SegmentedQueue<PyObject*>, false>;
using Treiber = Shared<dwcp::lockfree::Stack<PyObject*>, false>;

}  // namespace dwcp::bindings::lockfree
