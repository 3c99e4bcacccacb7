// The lock-free structures behind one set of calls, for tests that are the same for all of them.
#pragma once

#include <cstddef>
#include <memory>

#include "dwcp/lockfree/michael_scott_queue.hpp"
#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/lockfree/spsc_slot_ring.hpp"
#include "dwcp/lockfree/stack.hpp"

namespace dwcp::lockfree::testing {

constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);

template <typename T, template <typename...> class Structure, bool kIsBounded, bool kIsShared,
          bool kIsStack = false>
struct Kind {
    static constexpr bool kBounded = kIsBounded;
    static constexpr bool kShared = kIsShared;  // more than one thread on a side
    static constexpr bool kStack = kIsStack;
    using value_type = T;
    template <typename U>
    using Of = Kind<U, Structure, kIsBounded, kIsShared, kIsStack>;

    explicit Kind(std::size_t capacity) : structure(make(capacity)) {}

    template <typename Item>
    bool try_put(Item&& item) {
        if constexpr (kBounded) {
            return structure->try_put(std::forward<Item>(item));
        } else {
            structure->put(std::forward<Item>(item));
            return true;
        }
    }
    template <typename Iterator>
    std::size_t put_many(Iterator first, std::size_t count) {
        if constexpr (kBounded) {
            return structure->put_many(first, count);
        } else {
            structure->put_many(first, count);
            return count;
        }
    }

    std::unique_ptr<Structure<T>> structure;

  private:
    static std::unique_ptr<Structure<T>> make(std::size_t capacity) {
        if constexpr (kBounded) {
            return std::make_unique<Structure<T>>(capacity);
        } else {
            return std::make_unique<Structure<T>>();
        }
    }
};

// With segments so short that they change all the time.
template <typename T>
class ShortSegments : public SegmentedQueue<T, StdAtomics, std::allocator<T>, 4> {};

// With so few nodes at first that the pool grows.
template <typename T>
class FewNodes : public MichaelScottQueue<T, StdAtomics, std::allocator<T>, 4> {};
template <typename T>
class FewNodesStack : public Stack<T, StdAtomics, std::allocator<T>, 4> {};

template <typename T>
using Spsc = Kind<T, SpscRing, true, false>;
template <typename T>
using SpscSlot = Kind<T, SpscSlotRing, true, false>;
template <typename T>
using Mpmc = Kind<T, MpmcQueue, true, true>;
template <typename T>
using MichaelScott = Kind<T, FewNodes, false, true>;
template <typename T>
using Segments = Kind<T, ShortSegments, false, true>;
template <typename T>
using Treiber = Kind<T, FewNodesStack, false, true, true>;

}  // namespace dwcp::lockfree::testing

#define DWCP_LOCKFREE_KINDS(T)                                                      \
    dwcp::lockfree::testing::Spsc<T>, dwcp::lockfree::testing::SpscSlot<T>,         \
        dwcp::lockfree::testing::Mpmc<T>, dwcp::lockfree::testing::MichaelScott<T>, \
        dwcp::lockfree::testing::Segments<T>, dwcp::lockfree::testing::Treiber<T>
