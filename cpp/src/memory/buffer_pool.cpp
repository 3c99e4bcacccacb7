#include "dwcp/memory/buffer_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "dwcp/os/machine.hpp"
#include "memory/pool_shared.hpp"
#include "os/pages.hpp"
#include "os/placing.hpp"

namespace dwcp::memory {

// Which pools there are: a thread that ends gives its caches back to those that are still there.
// Never destroyed, because threads may end after static objects have gone.
class Registry {
  public:
    using Shared = BufferPool::Shared;
    using Cache = BufferPool::Cache;

    // The caches of one thread, by the number of their pool.
    struct Thread {
        std::vector<std::pair<std::uint64_t, Cache*>> caches;
        ~Thread() { instance().end(*this); }
    };

    static Registry& instance() {
        static auto* const kInstance = new Registry;
        return *kInstance;
    }

    std::uint64_t add(Shared* shared) {
        const std::lock_guard lock(mutex_);
        pools_.emplace(++last_, shared);
        return last_;
    }
    void remove(std::uint64_t number) noexcept {
        const std::lock_guard lock(mutex_);
        pools_.erase(number);
    }

    Cache* find(std::uint64_t number, Shared& shared) {
        for (const auto& [pool, cache] : thread_.caches) {
            if (pool == number) return cache;
        }
        const std::lock_guard lock(mutex_);
        std::erase_if(thread_.caches,
                      [&](const auto& entry) { return !pools_.contains(entry.first); });
        thread_.caches.reserve(thread_.caches.size() + 1);
        const std::lock_guard lock_pool(shared.mutex);
        if (shared.idle.empty()) {
            shared.caches.push_back(std::make_unique<Cache>());
            shared.idle.reserve(shared.caches.size());
            shared.idle.push_back(shared.caches.back().get());
        }
        Cache* const cache = shared.idle.back();
        shared.idle.pop_back();
        thread_.caches.emplace_back(number, cache);
        return cache;
    }

  private:
    Registry() { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

    void end(Thread& thread) {
        const std::lock_guard lock(mutex_);
        for (const auto& [number, cache] : thread.caches) {
            const auto pool = pools_.find(number);
            if (pool == pools_.end()) continue;
            pool->second->empty_out(*cache);
            const std::lock_guard lock_pool(pool->second->mutex);
            pool->second->idle.push_back(cache);
        }
    }

    static void before_fork() {
        Registry& registry = instance();
        registry.mutex_.lock();
        for (const auto& [number, shared] : registry.pools_) {
            shared->mutex.lock();
            shared->magazines_mutex.lock();
        }
    }
    static void after_fork_in_parent() {
        Registry& registry = instance();
        for (const auto& [number, shared] : registry.pools_) {
            shared->magazines_mutex.unlock();
            shared->mutex.unlock();
        }
        registry.mutex_.unlock();
    }
    // The other threads are not there, but what they had in their caches is.
    static void after_fork_in_child() {
        for (const auto& [number, shared] : instance().pools_) {
            Cache* own = nullptr;
            for (const auto& [pool, cache] : thread_.caches) {
                if (pool == number) own = cache;
            }
            shared->idle.clear();
            for (const auto& cache : shared->caches) {
                if (cache.get() != own) shared->idle.push_back(cache.get());
            }
        }
        after_fork_in_parent();
    }

    static thread_local Thread thread_;

    std::mutex mutex_;  // taken before those of the pools
    std::map<std::uint64_t, Shared*> pools_;
    std::uint64_t last_ = 0;
};
thread_local Registry::Thread Registry::thread_;

BufferPool::BufferPool(const PoolOptions& options)
    : shared_(std::make_unique<Shared>(options, used_)),
      marks_(shared_->marks_of_granules()),
      first_granule_(granule_of(shared_->memory.data())),
      number_(Registry::instance().add(shared_.get())),
      slot_(number_ % kRecent),
      zero_(options.zero) {}

BufferPool::~BufferPool() {
    Registry::instance().remove(number_);
}

BufferPool::Cache& BufferPool::find_cache() {
    Cache* const cache = Registry::instance().find(number_, *shared_);
    recent_.pools[slot_] = number_;
    recent_.caches[slot_] = cache;
    return *cache;
}

void BufferPool::refill(Cache& cache, std::size_t size_class) {
    Bin& bin = cache.bins[size_class];
    std::byte** const items = cache.items[size_class].data();
    const auto from_depot = [&] {
        Magazine* magazine = nullptr;
        if (!shared_->full[size_class].try_get(magazine)) return std::uint32_t{0};
        const std::uint32_t count = magazine->count;
        std::memcpy(items, magazine->items.data(), count * sizeof magazine->items[0]);
        shared_->empty.put(magazine);
        return count;
    };
    std::uint32_t count = from_depot();
    for (bool trimmed = false; count == 0;) {
        {
            const std::lock_guard lock(shared_->mutex);
            count = from_depot();  // while waiting for the lock
            if (count > 0) break;
            // Whole lines of marks, or two threads would write to one.
            constexpr std::size_t kLineBytes = 64 * kSmallestClassBytes;
            const auto want =
                std::max(batch(size_class),
                         static_cast<std::uint32_t>(kLineBytes / class_bytes(size_class)));
            count = shared_->make(size_class, want, items);
            if (count > 0) {
                ++shared_->classes[size_class].misses;
                break;
            }
        }
        if (std::exchange(trimmed, true)) throw PoolExhausted();
        trim();
    }
    bin.taken.store(bin.taken.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    bin.set_count(count);
}

void BufferPool::spill(Cache& cache, std::size_t size_class) {
    shared_->give_from(cache, size_class, batch(size_class));
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
        if (std::exchange(trimmed, true)) throw PoolExhausted();
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
    const std::uintptr_t granule = granule_of(buffer);
    if (granule - first_granule_ >= used_.load(std::memory_order_acquire)) refuse(buffer);
    const std::uint8_t mark = marks_[granule].load(std::memory_order_relaxed);
    if ((mark & kInUse) == 0) refuse(buffer);
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
            const std::uint64_t state = bin.state.load(std::memory_order_relaxed);
            const std::uint64_t gets = state / Bin::kOneGet;
            counts.allocations += gets;
            // What came into the cache and is neither there nor went elsewhere.
            counts.deallocations += gets + Bin::count_in(state) +
                                    bin.given.load(std::memory_order_relaxed) -
                                    bin.taken.load(std::memory_order_relaxed);
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
    shared_->empty_out(own_cache());
    const std::lock_guard lock(shared_->mutex);
    std::size_t given_back = shared_->drop_kept(0);
    for (std::size_t size_class = 0; size_class < kSizeClasses; ++size_class) {
        given_back += shared_->trim_class(size_class);
    }
    return given_back;
}

}  // namespace dwcp::memory
