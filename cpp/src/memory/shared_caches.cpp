#include "memory/shared_caches.hpp"

#include <pthread.h>

#include <cstring>
#include <map>

namespace dwcp::memory::detail {

ThreadCache* SharedCaches::take_idle() {
    const std::lock_guard lock(mutex);
    if (idle_.empty()) {
        caches_.reserve(caches_.size() + 1);
        idle_.reserve(caches_.size() + 1);
        caches_.push_back(make_cache());
        idle_.push_back(caches_.back());
    }
    ThreadCache* const cache = idle_.back();
    idle_.pop_back();
    return cache;
}

void SharedCaches::give_idle(ThreadCache* cache) {
    const std::lock_guard lock(mutex);
    idle_.push_back(cache);
}

void SharedCaches::lock_all() {
    mutex.lock();
    magazines_mutex_.lock();
}
void SharedCaches::unlock_all() {
    magazines_mutex_.unlock();
    mutex.unlock();
}
void SharedCaches::keep_only(ThreadCache* own) {
    idle_.clear();
    std::copy_if(caches_.begin(), caches_.end(), std::back_inserter(idle_),
                 [&](const ThreadCache* cache) { return cache != own; });
}

Magazine* SharedCaches::empty_magazine() {
    Magazine* magazine = nullptr;
    if (empty_.try_get(magazine)) return magazine;
    auto made = std::make_unique<Magazine>();
    magazine = made.get();
    const std::lock_guard lock(magazines_mutex_);
    magazines_.push_back(std::move(made));
    return magazine;
}

void SharedCaches::give(Magazines& full, std::byte* const* items, std::uint32_t count) {
    Magazine* const magazine = empty_magazine();
    std::memcpy(magazine->items.data(), items, count * sizeof *items);
    magazine->count = count;
    full.put(magazine);
}

void SharedCaches::give_from(Bin& bin, std::byte* const* items, Magazines& full,
                             std::uint32_t count) {
    const std::uint32_t before = bin.count();
    const std::uint32_t rest = before - count;
    // First, so that the child of a fork() in between does not have them twice.
    bin.set_count(rest);
    const std::uint64_t given = bin.given.load(std::memory_order_relaxed);
    bin.given.store(given + count, std::memory_order_relaxed);
    try {
        give(full, items + rest, count);
    } catch (...) {
        bin.given.store(given, std::memory_order_relaxed);
        bin.set_count(before);
        throw;
    }
}

std::uint32_t SharedCaches::take(Magazines& full, std::byte** items) {
    Magazine* magazine = nullptr;
    if (!full.try_get(magazine)) return 0;
    const std::uint32_t count = magazine->count;
    std::memcpy(items, magazine->items.data(), count * sizeof magazine->items[0]);
    empty_.put(magazine);
    return count;
}

std::vector<std::byte*> SharedCaches::take_all(Magazines& full) {
    std::vector<std::byte*> items;
    Magazine* magazine = nullptr;
    while (full.try_get(magazine)) {
        items.insert(items.end(), magazine->items.begin(),
                     magazine->items.begin() + magazine->count);
        empty_.put(magazine);
    }
    return items;
}

namespace {

// Which pools there are: a thread that ends gives its caches back to those that are still there.
// Never destroyed, because threads may end after static objects have gone.
class Registry {
  public:
    // The caches of one thread, by the number of their pool.
    struct Thread {
        std::vector<std::pair<std::uint64_t, ThreadCache*>> caches;
        ~Thread() { instance().end(*this); }
    };

    static Registry& instance() {
        static auto* const kInstance = new Registry;
        return *kInstance;
    }

    std::uint64_t add(SharedCaches& shared) {
        const std::lock_guard lock(mutex_);
        pools_.emplace(++last_, &shared);
        return last_;
    }
    void remove(std::uint64_t number) noexcept {
        const std::lock_guard lock(mutex_);
        pools_.erase(number);
    }

    ThreadCache* find(std::uint64_t number, SharedCaches& shared) {
        for (const auto& [pool, cache] : thread_.caches) {
            if (pool == number) return cache;
        }
        const std::lock_guard lock(mutex_);
        std::erase_if(thread_.caches,
                      [&](const auto& entry) { return !pools_.contains(entry.first); });
        thread_.caches.reserve(thread_.caches.size() + 1);
        return thread_.caches.emplace_back(number, shared.take_idle()).second;
    }

  private:
    Registry() { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

    void end(Thread& thread) {
        const std::lock_guard lock(mutex_);
        for (const auto& [number, cache] : thread.caches) {
            const auto pool = pools_.find(number);
            if (pool == pools_.end()) continue;
            pool->second->empty_out(*cache);
            pool->second->give_idle(cache);
        }
    }

    static void before_fork() {
        Registry& registry = instance();
        registry.mutex_.lock();
        for (const auto& [number, shared] : registry.pools_) shared->lock_all();
    }
    static void after_fork_in_parent() {
        Registry& registry = instance();
        for (const auto& [number, shared] : registry.pools_) shared->unlock_all();
        registry.mutex_.unlock();
    }
    // The other threads are not there, but what they had in their caches is.
    static void after_fork_in_child() {
        for (const auto& [number, shared] : instance().pools_) {
            ThreadCache* own = nullptr;
            for (const auto& [pool, cache] : thread_.caches) {
                if (pool == number) own = cache;
            }
            shared->keep_only(own);
        }
        after_fork_in_parent();
    }

    static thread_local Thread thread_;

    std::mutex mutex_;  // taken before those of the pools
    std::map<std::uint64_t, SharedCaches*> pools_;
    std::uint64_t last_ = 0;
};
thread_local Registry::Thread Registry::thread_;

}  // namespace

std::uint64_t add_pool(SharedCaches& shared) {
    return Registry::instance().add(shared);
}
void remove_pool(std::uint64_t number) noexcept {
    Registry::instance().remove(number);
}

ThreadCache& find_cache(std::uint64_t number, SharedCaches& shared) {
    ThreadCache* const cache = Registry::instance().find(number, shared);
    recent_caches.pools[number % kRecentPools] = number;
    recent_caches.caches[number % kRecentPools] = cache;
    return *cache;
}

}  // namespace dwcp::memory::detail
