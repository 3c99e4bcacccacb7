// Atomics with mistakes planted in them, and what the checks say of a program.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "model/model.hpp"

namespace dwcp::model {

// Publishes without an order.
struct Relaxed : Atomics {
    template <typename T>
    class atomic : public Atomic<T> {
      public:
        using Atomic<T>::Atomic;
        void store(T value, std::memory_order) noexcept {
            Atomic<T>::store(value, std::memory_order_relaxed);
        }
        bool compare_exchange_weak(T& expected, T value, std::memory_order,
                                   std::memory_order failure) noexcept {
            return Atomic<T>::compare_exchange_weak(expected, value, std::memory_order_relaxed,
                                                    failure);
        }
        bool compare_exchange_strong(T& expected, T value, std::memory_order,
                                     std::memory_order failure) noexcept {
            return Atomic<T>::compare_exchange_strong(expected, value, std::memory_order_relaxed,
                                                      failure);
        }
    };
};

// Forgets the tags beside numbers of nodes: what changed and changed back is taken for unchanged.
struct Untagged : Atomics {
    template <typename T>
    class atomic : public Atomic<T> {
      public:
        using Atomic<T>::Atomic;
        bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                                   std::memory_order failure) noexcept {
            if constexpr (std::is_same_v<T, std::uint64_t>) value &= 0xffff'ffff;
            return Atomic<T>::compare_exchange_weak(expected, value, success, failure);
        }
    };
};

// Forgets the fences between what was changed and who waits for it.
struct Unfenced : Waiting {
    struct Atomics : model::Atomics {
        static void fence(std::memory_order) {}
    };
};

inline void holds(const Result& result) {
    CHECK(result.failure == "");
    CHECK(result.complete);
    CHECK(result.runs > 20);
}

inline void has_a_race(const Result& result) {
    CHECK(result.failure.substr(0, 9) == "data race");
}

}  // namespace dwcp::model
