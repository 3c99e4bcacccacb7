#include "dwcp/memory/buffer_pool.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "dwcp/os/machine.hpp"
#include "memory/many.hpp"
#include "memory/pool_shared.hpp"
#include "os/pages.hpp"
#include "os/placing.hpp"

namespace dwcp::memory {

namespace {

constexpr const char* kExhausted = "the buffer pool has reached its limit of bytes held";

}  // namespace

BufferPool::BufferPool(const PoolOptions& options)
    : shared_(std::make_unique<Shared>(options, used_)),
      own_cache_(*shared_),
      marks_(shared_->marks_of_granules()),
      first_granule_(granule_of(shared_->memory.data())),
      zero_(options.zero) {}

BufferPool::~BufferPool() = default;

void BufferPool::refill(Cache& cache, std::size_t size_class) {
    const auto make = [&](std::byte** items) {
        // Whole lines of marks, or two threads would write to one.
        constexpr std::size_t kLineBytes = 64 * kSmallestClassBytes;
        const auto want =
            std::max(Shared::batch(size_class),
                     static_cast<std::uint32_t>(kLineBytes / class_bytes(size_class)));
        const std::uint32_t count = shared_->make(size_class, want, items);
        if (count > 0) ++shared_->classes[size_class].misses;
        return count;
    };
    shared_->refill(cache.bins[size_class], cache.items[size_class].data(),
                    shared_->full[size_class], kExhausted, make, [this] { trim(); });
}

void BufferPool::spill(Cache& cache, std::size_t size_class) {
    shared_->give_from(cache, size_class, Shared::batch(size_class));
}

void* BufferPool::get_larger(std::size_t size, bool zeros) {
    if (size > shared_->memory.size()) throw std::bad_alloc();
    const std::size_t bytes = capacity_for(size);
    std::byte* buffer = nullptr;
    bool is_new = false;
    for (bool trimmed = false; buffer == nullptr;) {
        {
            const std::lock_guard lock(shared_->mutex);
            buffer = shared_->take_larger(bytes, is_new);
            if (buffer != nullptr) break;
        }
        if (std::exchange(trimmed, true)) throw PoolExhausted(kExhausted);
        trim();
    }
    if (is_new) {
        // New pages are zeros: to touch them is all there is to do.
        shared_->bring_pages(buffer, bytes);
    } else if (zeros) {
        clear(buffer, size);
    }
    marks_[granule_of(buffer)].store(kLarger, std::memory_order_relaxed);
    return buffer;
}

void BufferPool::put_larger(void* buffer) {
    const std::lock_guard lock(shared_->mutex);
    // Another thread may have put it meanwhile.
    if (marks_[granule_of(buffer)].load(std::memory_order_relaxed) != kLarger) refuse(buffer);
    marks_[granule_of(buffer)].store(kLargerKept, std::memory_order_relaxed);
    shared_->give_larger(shared_->place_of(buffer));
}

void BufferPool::get_many(std::size_t size, std::span<void*> buffers) {
    get_all(buffers, [&] { return get(size); }, [this](void* buffer) { put(buffer); });
}

void BufferPool::put_many(std::span<void* const> buffers) {
    const auto mark = [this](const void* buffer, int value) {
        marks_[granule_of(buffer)].store(static_cast<std::uint8_t>(value),
                                         std::memory_order_relaxed);
    };
    put_all(
        buffers, [&](void* buffer) { mark(buffer, mark_in_use(buffer) & ~kInUse); },
        [&](void* buffer) {
            mark(buffer, marks_[granule_of(buffer)].load(std::memory_order_relaxed) | kInUse);
        },
        [this](void* buffer) { put(buffer); });
}

std::uint8_t BufferPool::mark_in_use(const void* buffer) const {
    const std::uintptr_t granule = granule_of(buffer);
    if (granule - first_granule_ >= used_.load(std::memory_order_acquire)) refuse(buffer);
    const std::uint8_t mark = marks_[granule].load(std::memory_order_relaxed);
    if ((mark & kInUse) == 0) refuse(buffer);
    return mark;
}

void BufferPool::refuse(const void* buffer) const {
    const std::uintptr_t granule = granule_of(buffer);
    const bool aligned = reinterpret_cast<std::uintptr_t>(buffer) % kSmallestClassBytes == 0;
    const bool own = granule - first_granule_ < used_.load(std::memory_order_acquire);
    if (aligned && !own) throw NotInUse("what is put must be a buffer of this pool");
    if (!aligned || marks_[granule].load(std::memory_order_relaxed) == 0) {
        throw NotInUse("what is put must be the beginning of a buffer of this pool that is in use");
    }
    throw NotInUse("the buffer was put before");
}

void BufferPool::clear(std::byte* buffer, std::size_t size) noexcept {
    std::memset(buffer, 0, size);
}

std::size_t BufferPool::capacity_for(std::size_t size) noexcept {
    const std::size_t size_class = class_of(size);
    return size_class < kSizeClasses ? class_bytes(size_class) : os::up_to(size, os::page_bytes());
}

std::size_t BufferPool::capacity(const void* buffer) const {
    const std::uint8_t mark = mark_in_use(buffer);
    if (mark != kLarger) return class_bytes(class_in(mark));
    const std::lock_guard lock(shared_->mutex);
    const auto found = shared_->larger.find(shared_->place_of(buffer));
    if (found == shared_->larger.end()) refuse(buffer);
    return found->second.bytes;
}

PoolStats BufferPool::stats() const {
    PoolStats stats;
    const std::lock_guard lock(shared_->mutex);
    for (std::size_t size_class = 0; size_class < kSizeClasses; ++size_class) {
        PoolCounts& counts = stats.classes[size_class];
        for (const auto& cache : shared_->caches) {
            const Bin& bin = cache->bins[size_class];
            counts.allocations += bin.gets();
            counts.deallocations += bin.puts();
        }
        counts.misses = shared_->classes[size_class].misses;
        counts.bytes_held = shared_->classes[size_class].held;
        counts.bytes_held_max = shared_->classes[size_class].held_max;
    }
    stats.larger = {shared_->larger_gets, shared_->larger_puts, shared_->larger_misses,
                    shared_->larger_held, shared_->larger_held_max};
    const auto add = [&](const PoolCounts& counts) {
        stats.all.allocations += counts.allocations;
        stats.all.deallocations += counts.deallocations;
        stats.all.misses += counts.misses;
    };
    std::for_each(stats.classes.begin(), stats.classes.end(), add);
    add(stats.larger);
    stats.all.bytes_held = shared_->held;
    stats.all.bytes_held_max = shared_->held_max;
    return stats;
}

std::size_t BufferPool::huge_bytes() const {
    const std::size_t used = used_.load(std::memory_order_relaxed) * kSmallestClassBytes;
    return os::huge_bytes_in({shared_->memory.data(), used});
}

std::string BufferPool::reason() const {
    std::string text = shared_->reason;
    if (!shared_->huge_pages) return text;
    const std::uint64_t held = stats().all.bytes_held;
    const std::uint64_t huge = huge_bytes();
    if (huge < held) {
        text += std::string(text.empty() ? "" : "; ") + std::to_string(held - huge) + " of " +
                std::to_string(held) +
                " bytes lie in plain pages: the kernel had no huge ones to make of them (see "
                "/sys/kernel/mm/transparent_hugepage)";
    }
    return text;
}

std::size_t BufferPool::trim() {
    shared_->empty_out(own_cache_.get());
    const std::lock_guard lock(shared_->mutex);
    std::size_t given_back = shared_->drop_kept(0);
    for (std::size_t size_class = 0; size_class < kSizeClasses; ++size_class) {
        given_back += shared_->trim_class(size_class);
    }
    return given_back;
}

}  // namespace dwcp::memory
