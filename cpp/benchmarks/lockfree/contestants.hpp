// Our structures and those of other libraries behind one pair of calls: put and get, which say
// whether they did anything. Libraries that are not installed are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "dwcp/lockfree/michael_scott_queue.hpp"
#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/lockfree/spsc_slot_ring.hpp"
#include "dwcp/lockfree/stack.hpp"

#if __has_include(<boost/lockfree/queue.hpp>)
#define DWCP_BENCH_BOOST
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/lockfree/stack.hpp>
#endif
#if __has_include(<atomic_queue/atomic_queue.h>)
#define DWCP_BENCH_ATOMIC_QUEUE
#include <atomic_queue/atomic_queue.h>
#endif
#if __has_include(<readerwriterqueue/readerwriterqueue.h>)
#define DWCP_BENCH_READERWRITERQUEUE
#include <readerwriterqueue/readerwriterqueue.h>
#endif
#if __has_include(<concurrentqueue/concurrentqueue.h>)
#define DWCP_BENCH_CONCURRENTQUEUE
#include <concurrentqueue/concurrentqueue.h>
#endif
#if __has_include(<xenium/ramalhete_queue.hpp>)
#define DWCP_BENCH_XENIUM
#include <xenium/michael_scott_queue.hpp>
#include <xenium/ramalhete_queue.hpp>
#include <xenium/reclamation/hazard_pointer.hpp>
#include <xenium/vyukov_bounded_queue.hpp>
#endif

namespace dwcp::bench {

using Item = std::uint64_t;

// Whatever the calls are named.
template <typename Queue>
bool put(Queue& queue, Item item) {
    if constexpr (requires { queue.try_put(item); }) {
        return queue.try_put(item);
    } else if constexpr (requires { queue.put(item); }) {
        queue.put(item);
        return true;
    } else if constexpr (requires { queue.try_push(item); }) {
        return queue.try_push(item);
    } else if constexpr (requires { queue.try_enqueue(item); }) {
        return queue.try_enqueue(item);
    } else if constexpr (requires {
                             { queue.push(item) } -> std::same_as<bool>;
                         }) {
        return queue.push(item);
    } else {
        queue.push(item);
        return true;
    }
}
template <typename Queue>
bool get(Queue& queue, Item& item) {
    if constexpr (requires { queue.try_get(item); }) {
        return queue.try_get(item);
    } else if constexpr (requires { queue.try_pop(item); }) {
        return queue.try_pop(item);
    } else if constexpr (requires { queue.try_dequeue(item); }) {
        return queue.try_dequeue(item);
    } else {
        return queue.pop(item);
    }
}

// A container under a lock: what one would write without any library.
template <typename Container, bool kLast>
class Locked {
  public:
    bool try_put(Item item) {
        const std::lock_guard lock(mutex_);
        if (items_.size() == capacity_) return false;
        items_.push_back(item);
        return true;
    }
    bool try_get(Item& item) {
        const std::lock_guard lock(mutex_);
        if (items_.empty()) return false;
        if constexpr (kLast) {
            item = items_.back();
            items_.pop_back();
        } else {
            item = items_.front();
            items_.pop_front();
        }
        return true;
    }
    explicit Locked(std::size_t capacity = static_cast<std::size_t>(-1)) : capacity_(capacity) {}

  private:
    std::mutex mutex_;
    Container items_;
    std::size_t capacity_;
};
using LockedQueue = Locked<std::deque<Item>, false>;
using LockedStack = Locked<std::vector<Item>, true>;

#if defined(DWCP_BENCH_XENIUM)
using HazardPointers = xenium::reclamation::hazard_pointer<>::with<
    xenium::policy::allocation_strategy<xenium::reclamation::hp_allocation::static_strategy<3>>>;
// It holds pointers, and takes the null pointer for nothing.
class Ramalhete {
  public:
    void put(Item item) { queue_.push(reinterpret_cast<Item*>(8 * (item + 1))); }
    bool try_get(Item& item) {
        Item* pointer = nullptr;
        if (!queue_.try_pop(pointer)) return false;
        item = reinterpret_cast<Item>(pointer) / 8 - 1;
        return true;
    }

  private:
    xenium::ramalhete_queue<Item*, xenium::policy::reclaimer<HazardPointers>> queue_;
};
using XeniumMichaelScott =
    xenium::michael_scott_queue<Item, xenium::policy::reclaimer<HazardPointers>>;
#endif

}  // namespace dwcp::bench
