// Structures take their memory from the allocator that they are given, and give all of it back.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <new>

#include "lockfree/structures.hpp"

using namespace dwcp::lockfree;

namespace {

struct Ledger {
    std::map<void*, std::size_t> held;
    std::size_t allocations_until_throw = static_cast<std::size_t>(-1);
};

template <typename T>
struct LedgerAllocator {
    using value_type = T;
    Ledger* ledger;

    explicit LedgerAllocator(Ledger& to) : ledger(&to) {}
    template <typename U>
    LedgerAllocator(const LedgerAllocator<U>& other) : ledger(other.ledger) {}

    T* allocate(std::size_t count) {
        if (ledger->allocations_until_throw-- == 0) throw std::bad_alloc();
        T* const place =
            static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{alignof(T)}));
        ledger->held[place] = count;
        return place;
    }
    void deallocate(T* place, std::size_t count) noexcept {
        CHECK(ledger->held.at(place) == count);
        ledger->held.erase(place);
        ::operator delete(place, std::align_val_t{alignof(T)});
    }
    template <typename U>
    bool operator==(const LedgerAllocator<U>& other) const {
        return ledger == other.ledger;
    }
};

template <typename Queue, typename... Arguments>
void uses_and_returns(Arguments... arguments) {
    Ledger ledger;
    {
        Queue queue(arguments..., LedgerAllocator<int>(ledger));
        for (int i = 0; i < 1000; ++i) {
            if constexpr (sizeof...(arguments) > 0) {
                REQUIRE(queue.try_put(i));
            } else {
                queue.put(i);
            }
        }
        CHECK_FALSE(ledger.held.empty());
        for (const auto& [place, count] : ledger.held) {
            CHECK(reinterpret_cast<std::uintptr_t>(place) % alignof(void*) == 0);
        }
    }
    CHECK(ledger.held.empty());
}

}  // namespace

TEST_CASE("memory comes from the allocator and goes back to it") {
    using Allocator = LedgerAllocator<int>;
    uses_and_returns<SpscRing<int, StdAtomics, Allocator>>(std::size_t{1000});
    uses_and_returns<SpscSlotRing<int, StdAtomics, Allocator>>(std::size_t{1000});
    uses_and_returns<MpmcQueue<int, StdAtomics, Allocator>>(std::size_t{1000});
    uses_and_returns<MichaelScottQueue<int, StdAtomics, Allocator>>();
    uses_and_returns<SegmentedQueue<int, StdAtomics, Allocator, 16>>();
    uses_and_returns<Stack<int, StdAtomics, Allocator>>();
}

TEST_CASE("unbounded structures survive an allocator that fails") {
    using Allocator = LedgerAllocator<int>;
    const auto survives = [](auto& queue, Ledger& ledger) {
        int put = 0;
        for (int i = 0; i < 3000; ++i) {
            ledger.allocations_until_throw = i % 2 == 0 ? 0 : static_cast<std::size_t>(-1);
            try {
                queue.put(i);
                ++put;
            } catch (const std::bad_alloc&) {
            }
        }
        ledger.allocations_until_throw = static_cast<std::size_t>(-1);
        CHECK(queue.size() == static_cast<std::size_t>(put));
        int item = 0;
        while (queue.try_get(item)) --put;
        CHECK(put == 0);
    };
    Ledger ledger;
    {
        MichaelScottQueue<int, StdAtomics, Allocator> queue{Allocator(ledger)};
        survives(queue, ledger);
        SegmentedQueue<int, StdAtomics, Allocator, 16> segments{Allocator(ledger)};
        survives(segments, ledger);
        Stack<int, StdAtomics, Allocator> stack{Allocator(ledger)};
        survives(stack, ledger);
    }
    CHECK(ledger.held.empty());
}
