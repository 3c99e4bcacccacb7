#include "dwcp/memory/slab_allocator.hpp"

#include <stdexcept>
#include <string>

#include "memory/shared_caches.hpp"

namespace dwcp::memory {

namespace {

void check(std::size_t object_size, std::size_t objects_per_slab, std::size_t stride) {
    if (object_size < 1 || object_size > SlabAllocator::kObjectBytesMax) {
        throw std::invalid_argument("object_size must be 1 to " +
                                    std::to_string(SlabAllocator::kObjectBytesMax) +
                                    " bytes, but is " + std::to_string(object_size));
    }
    const std::size_t most = SlabAllocator::kSlabBytesMax / stride;
    if (objects_per_slab < 1 || objects_per_slab > most) {
        throw std::invalid_argument("objects_per_slab must be 1 to " + std::to_string(most) +
                                    " for objects of " + std::to_string(object_size) +
                                    " bytes, but is " + std::to_string(objects_per_slab));
    }
}

detail::ObjectPoolOptions options_for(std::size_t object_size, std::size_t objects_per_slab,
                                      std::size_t stride, const SlabOptions& options) {
    check(object_size, objects_per_slab, stride);
    const std::uint32_t batch = detail::batch_for(stride, 2);
    return {.name = "slab allocator",
            .stride_bytes = stride,
            .slab_objects = objects_per_slab,
            .batch_objects = batch,
            .cache_objects = 2 * batch,
            .limit_bytes = options.limit_bytes,
            .address_space_bytes = options.address_space_bytes};
}

}  // namespace

SlabAllocator::SlabAllocator(std::size_t object_size, std::size_t objects_per_slab,
                             const SlabOptions& options)
    : ObjectPool(options_for(object_size, objects_per_slab, stride_for(object_size), options)),
      object_size_(object_size),
      objects_per_slab_(objects_per_slab) {}

SlabStats SlabAllocator::stats() const {
    return {counts(), slabs()};
}

}  // namespace dwcp::memory
