// Structures with mistakes in them, which the checks must find.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dwcp/lockfree/atomics.hpp"

namespace dwcp::lockfree::testing {

// One producer and one consumer: makes an item known before it is there.
template <typename T, typename Atomics = StdAtomics>
class IndexFirstRing {
  public:
    explicit IndexFirstRing(std::size_t capacity) : items_(capacity) {}

    bool try_put(T item) {
        const std::uint64_t put = put_.load(std::memory_order_relaxed);
        if (put - got_.load(std::memory_order_acquire) == items_.size()) return false;
        put_.store(put + 1, std::memory_order_release);
        Atomics::pause();
        items_[put % items_.size()] = std::move(item);
        return true;
    }
    bool try_get(T& item) {
        const std::uint64_t got = got_.load(std::memory_order_relaxed);
        if (got == put_.load(std::memory_order_acquire)) return false;
        item = std::move(items_[got % items_.size()]);
        got_.store(got + 1, std::memory_order_release);
        return true;
    }

  private:
    std::vector<T> items_;
    typename Atomics::template atomic<std::uint64_t> put_{0};
    typename Atomics::template atomic<std::uint64_t> got_{0};
};

// Any number of threads: looks whether an item is free and takes it in two steps, as if nobody
// could come in between.
template <typename T, typename Atomics = StdAtomics>
class TwoStepQueue {
  public:
    explicit TwoStepQueue(std::size_t capacity) : items_(capacity) {}

    bool try_put(T item) {
        const std::uint64_t put = put_.load(std::memory_order_acquire);
        if (put - got_.load(std::memory_order_acquire) >= items_.size()) return false;
        items_[put % items_.size()].store(item, std::memory_order_release);
        put_.store(put + 1, std::memory_order_release);
        return true;
    }
    bool try_get(T& item) {
        const std::uint64_t got = got_.load(std::memory_order_acquire);
        if (got >= put_.load(std::memory_order_acquire)) return false;
        item = items_[got % items_.size()].load(std::memory_order_acquire);
        got_.store(got + 1, std::memory_order_release);
        return true;
    }

  private:
    std::vector<typename Atomics::template atomic<T>> items_;
    typename Atomics::template atomic<std::uint64_t> put_{0};
    typename Atomics::template atomic<std::uint64_t> got_{0};
};

}  // namespace dwcp::lockfree::testing
