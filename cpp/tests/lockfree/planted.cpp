// The structures with all their orders taken away, and one with a mistake: what ThreadSanitizer
// must find. Not a test by itself; ci/sanitize runs it and expects a data race for each name.
//
//   lockfree_planted NAME
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <thread>

#include "dwcp/lockfree/byte_ring.hpp"
#include "dwcp/lockfree/michael_scott_queue.hpp"
#include "dwcp/lockfree/mpmc_queue.hpp"
#include "dwcp/lockfree/segmented_queue.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/lockfree/spsc_slot_ring.hpp"
#include "dwcp/lockfree/stack.hpp"
#include "lockfree/broken.hpp"

namespace {

struct RelaxedAtomics {
    template <typename T>
    class atomic {
      public:
        atomic() noexcept = default;
        constexpr atomic(T value) noexcept : value_(value) {}

        T load(std::memory_order) const noexcept { return value_.load(kOrder); }
        void store(T value, std::memory_order) noexcept { value_.store(value, kOrder); }
        T exchange(T value, std::memory_order) noexcept { return value_.exchange(value, kOrder); }
        T fetch_add(T value, std::memory_order) noexcept { return value_.fetch_add(value, kOrder); }
        T fetch_sub(T value, std::memory_order) noexcept { return value_.fetch_sub(value, kOrder); }
        bool compare_exchange_weak(T& expected, T value, std::memory_order,
                                   std::memory_order) noexcept {
            return value_.compare_exchange_weak(expected, value, kOrder, kOrder);
        }
        bool compare_exchange_strong(T& expected, T value, std::memory_order,
                                     std::memory_order) noexcept {
            return value_.compare_exchange_strong(expected, value, kOrder, kOrder);
        }

      private:
        static constexpr std::memory_order kOrder = std::memory_order_relaxed;
        std::atomic<T> value_;
    };
    static void fence(std::memory_order) noexcept {}
    static void pause() noexcept {}
    static std::uintptr_t thread_token() noexcept {
        return dwcp::lockfree::StdAtomics::thread_token();
    }
};

using Item = std::unique_ptr<std::uint64_t>;
using Allocator = std::allocator<Item>;

template <typename Queue>
int pass(Queue& queue) {
    constexpr std::uint64_t kItems = 2000;
    std::jthread producer([&] {
        for (std::uint64_t i = 0; i < kItems; ++i) {
            Item item = std::make_unique<std::uint64_t>(i);
            if constexpr (requires { queue.put(std::move(item)); }) {
                queue.put(std::move(item));
            } else {
                while (!queue.try_put(std::move(item))) std::this_thread::yield();
            }
        }
    });
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < kItems;) {
        Item item;
        if (!queue.try_get(item)) {
            std::this_thread::yield();
            continue;
        }
        sum += *item;  // what was not published is read here
        ++i;
    }
    return sum == kItems * (kItems - 1) / 2 ? 0 : 1;
}

int pass_bytes() {
    dwcp::lockfree::BasicByteRing<RelaxedAtomics> ring(100);
    std::jthread producer([&] {
        for (int i = 0; i < 2000;) {
            const std::byte byte{7};
            i += static_cast<int>(ring.write({&byte, 1}));
        }
    });
    int sum = 0;
    for (int i = 0; i < 2000; ++i) {
        while (ring.empty()) std::this_thread::yield();
        sum += std::to_integer<int>(ring.readable()[0]);
        ring.consume(1);
    }
    return sum == 2000 * 7 ? 0 : 1;
}

int run(std::string_view name) {
    using namespace dwcp::lockfree;
    if (name == "spsc_ring") {
        SpscRing<Item, RelaxedAtomics> queue(8);
        return pass(queue);
    }
    if (name == "spsc_slot_ring") {
        SpscSlotRing<Item, RelaxedAtomics> queue(8);
        return pass(queue);
    }
    if (name == "index_first") {
        testing::IndexFirstRing<Item> queue(8);
        return pass(queue);
    }
    if (name == "mpmc_queue") {
        MpmcQueue<Item, RelaxedAtomics> queue(8);
        return pass(queue);
    }
    if (name == "segmented_queue") {
        SegmentedQueue<Item, RelaxedAtomics, Allocator, 4> queue;
        return pass(queue);
    }
    if (name == "michael_scott_queue") {
        MichaelScottQueue<Item, RelaxedAtomics> queue;
        return pass(queue);
    }
    if (name == "stack") {
        Stack<Item, RelaxedAtomics> stack;
        return pass(stack);
    }
    if (name == "byte_ring") return pass_bytes();
    std::fprintf(stderr, "lockfree_planted: no structure %.*s\n", static_cast<int>(name.size()),
                 name.data());
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    return argc == 2 ? run(argv[1]) : 2;
}
