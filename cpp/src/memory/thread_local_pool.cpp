#include "dwcp/memory/thread_local_pool.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "dwcp/os/machine.hpp"
#include "memory/shared_caches.hpp"
#include "os/pages.hpp"

namespace dwcp::memory {

namespace {

constexpr std::size_t kAlignment = 64;

std::uint32_t number_for(std::size_t capacity, std::uint32_t wished) {
    if (wished > ThreadLocalPool::kBuffersPerThreadMax) {
        throw std::invalid_argument("buffers_per_thread must be 1 to " +
                                    std::to_string(ThreadLocalPool::kBuffersPerThreadMax) +
                                    ", but is " + std::to_string(wished));
    }
    if (wished > 0) return wished;
    return static_cast<std::uint32_t>(
        std::clamp((std::size_t{1} << 20) / capacity, std::size_t{2}, std::size_t{64}));
}

detail::ObjectPoolOptions options_for(std::size_t size, std::size_t capacity,
                                      const ThreadLocalPoolOptions& options) {
    if (size < 1 || size > ThreadLocalPool::kSizeMax) {
        throw std::invalid_argument("size must be 1 to " +
                                    std::to_string(ThreadLocalPool::kSizeMax) + " bytes, but is " +
                                    std::to_string(size));
    }
    const std::uint32_t number = number_for(capacity, options.buffers_per_thread);
    const std::uint32_t batch =
        std::min(detail::batch_for(capacity, 1), std::max(number / 2, std::uint32_t{1}));
    return {.name = "thread-local pool",
            .stride_bytes = capacity,
            // Of a batch: new memory is touched by one thread, and lies on its node.
            .slab_objects = batch,
            .batch_objects = batch,
            .cache_objects = number,
            .limit_bytes = options.limit_bytes,
            .address_space_bytes = options.address_space_bytes};
}

}  // namespace

std::size_t ThreadLocalPool::capacity_for(std::size_t size) noexcept {
    return os::up_to(size, size < os::page_bytes() ? kAlignment : os::page_bytes());
}

ThreadLocalPool::ThreadLocalPool(std::size_t size, const ThreadLocalPoolOptions& options)
    : ObjectPool(options_for(size, capacity_for(size), options)),
      size_(size),
      buffers_per_thread_(number_for(capacity_for(size), options.buffers_per_thread)) {}

}  // namespace dwcp::memory
