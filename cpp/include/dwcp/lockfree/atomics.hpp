// What the lock-free structures take their atomic operations from: a template parameter, so that a
// model checker can put its own in place of the processor's.
#pragma once

#include <atomic>
#include <cstdint>

#include "dwcp/cache/lines.hpp"

namespace dwcp::lockfree {

using cache::kSeparationBytes;

struct StdAtomics {
    template <typename T>
    using atomic = std::atomic<T>;

    static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }

    // Not 0, and another one for each thread that lives.
    static std::uintptr_t thread_token() noexcept {
        static thread_local char place;
        return reinterpret_cast<std::uintptr_t>(&place);
    }

    // Says to the processor that this thread waits for another.
    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("isb" ::: "memory");
#endif
    }
};

}  // namespace dwcp::lockfree
