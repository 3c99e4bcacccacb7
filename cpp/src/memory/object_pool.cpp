#include "dwcp/memory/detail/object_pool.hpp"

#include <algorithm>
#include <bit>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "dwcp/os/machine.hpp"
#include "dwcp/os/reserved_memory.hpp"
#include "memory/many.hpp"
#include "memory/shared_caches.hpp"
#include "os/pages.hpp"

namespace dwcp::memory::detail {

// A slab is whole pages. The mutex is for what follows `full`.
struct ObjectPool::Shared final : SharedCaches {
    Shared(const ObjectPoolOptions& wished, std::atomic<std::size_t>& used_bytes);

    // Puts about a batch of new objects into `items` and returns how many; 0 beyond the limit.
    // Throws std::bad_alloc.
    std::uint32_t make(std::byte** items);
    // False beyond the limit.
    bool take_slab();
    void give_slab(std::size_t slab) noexcept;
    std::size_t trim();
    void empty_out(ThreadCache& cache) override;

    std::size_t slab_of(const std::byte* object) const noexcept {
        return static_cast<std::size_t>(object - memory.data()) / slab_bytes;
    }
    // Of the granule that a place lies in.
    std::atomic<std::uint8_t>& mark(std::size_t at) const noexcept {
        return reinterpret_cast<std::atomic<std::uint8_t>*>(marks.data())[at >> shift];
    }

    std::atomic<std::size_t>& used;
    const ObjectPoolOptions options;
    const std::string exhausted;
    const std::size_t slab_bytes;
    const unsigned shift;
    os::ReservedMemory memory;
    os::ReservedMemory marks;

    Magazines full;

    std::vector<std::unique_ptr<Cache>> caches;
    std::vector<std::size_t> made;   // objects of each slab
    std::vector<std::size_t> empty;  // slabs that were given back
    std::size_t place = 0;           // of the next new object, up to `end`
    std::size_t end = 0;
    std::size_t marks_used = 0;  // bytes
    std::uint64_t misses = 0;
    std::uint64_t held = 0;
    std::uint64_t held_max = 0;

  private:
    ThreadCache* make_cache() override;
};

namespace {

std::size_t addresses(const ObjectPoolOptions& options, std::size_t slab_bytes) {
    if (options.limit_bytes < slab_bytes) {
        throw std::invalid_argument(std::string("limit_bytes of a ") + options.name + " must be " +
                                    std::to_string(slab_bytes) + " or more, but is " +
                                    std::to_string(options.limit_bytes));
    }
    if (options.address_space_bytes != 0) {
        return std::clamp(options.address_space_bytes, slab_bytes, std::size_t{1} << 46);
    }
    return std::max(std::min(options.limit_bytes, default_address_space_bytes()), slab_bytes);
}

}  // namespace

ObjectPool::Shared::Shared(const ObjectPoolOptions& wished, std::atomic<std::size_t>& used_bytes)
    : used(used_bytes),
      options(wished),
      exhausted(std::string("the ") + wished.name + " has reached its limit of bytes held"),
      slab_bytes(os::up_to(wished.stride_bytes * wished.slab_objects, os::page_bytes())),
      shift(static_cast<unsigned>(std::bit_width(std::min(wished.stride_bytes, kGranuleMax)) - 1)),
      memory(addresses(wished, slab_bytes), slab_bytes),
      marks(memory.size() >> shift, memory.size() >> shift) {}

ThreadCache* ObjectPool::Shared::make_cache() {
    caches.push_back(std::make_unique<Cache>());
    caches.back()->bin.count_max = options.cache_objects;
    return caches.back().get();
}

void ObjectPool::Shared::empty_out(ThreadCache& cache) {
    auto& own = static_cast<Cache&>(cache);
    while (const std::uint32_t count = own.bin.count()) {
        give_from(own.bin, own.items.data(), full, std::min(count, options.batch_objects));
    }
}

bool ObjectPool::Shared::take_slab() {
    if (held > options.limit_bytes - slab_bytes) return false;
    std::size_t slab = made.size();
    if (!empty.empty()) {
        slab = empty.back();
        empty.pop_back();
    } else {
        const std::size_t begin = slab * slab_bytes;
        if (slab_bytes > memory.size() - begin) throw std::bad_alloc();
        made.push_back(0);
        empty.reserve(made.size());
        const std::size_t marks_end = os::up_to((begin + slab_bytes) >> shift, os::page_bytes());
        if (!memory.use(begin, slab_bytes) ||
            (marks_end > marks_used && !marks.use(marks_used, marks_end - marks_used))) {
            made.pop_back();
            throw std::bad_alloc();
        }
        marks_used = marks_end;
        // release: who sees it in refuse() may look at the marks
        used.store(begin + slab_bytes, std::memory_order_release);
    }
    place = slab * slab_bytes;
    end = place + options.slab_objects * options.stride_bytes;
    held += slab_bytes;
    held_max = std::max(held_max, held);
    return true;
}

void ObjectPool::Shared::give_slab(std::size_t slab) noexcept {
    // The marks say of each object that it was put before, which is so until it is made again.
    memory.discard(slab * slab_bytes, slab_bytes);
    if (place != end && place / slab_bytes == slab) place = end;
    made[slab] = 0;
    held -= slab_bytes;
    empty.push_back(slab);
}

std::uint32_t ObjectPool::Shared::make(std::byte** items) {
    if (place == end && !take_slab()) return 0;
    const std::size_t stride = options.stride_bytes;
    // Whole lines of marks, or two threads would write to one; of this slab.
    const std::size_t line_bytes = std::size_t{64} << shift;
    const std::size_t lines_end = os::up_to(place + options.batch_objects * stride, line_bytes);
    const std::size_t count =
        std::min({(lines_end - place + stride - 1) / stride, (end - place) / stride,
                  static_cast<std::size_t>(options.cache_objects)});
    std::byte* const first = memory.data() + place;
    os::touch_pages(first, count * stride);
    os::touch_pages(first + count * stride - 1, 1);
    const std::uintptr_t within = (std::uintptr_t{1} << shift) - 1;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = place + i * stride;
        mark(at).store(static_cast<std::uint8_t>(kBegins | (at & within)),
                       std::memory_order_relaxed);
        items[i] = first + i * stride;
    }
    made[place / slab_bytes] += count;
    place += count * stride;
    ++misses;
    return static_cast<std::uint32_t>(count);
}

std::size_t ObjectPool::Shared::trim() {
    std::vector<std::size_t> unused_of(made.size());
    std::vector<std::byte*> unused = take_all(full);
    for (const std::byte* object : unused) ++unused_of[slab_of(object)];
    const auto is_unused = [&](std::size_t slab) {
        return unused_of[slab] > 0 && unused_of[slab] == made[slab];
    };
    std::erase_if(unused, [&](const std::byte* object) { return is_unused(slab_of(object)); });
    for (std::size_t at = 0; at < unused.size(); at += options.batch_objects) {
        const std::size_t count = std::min<std::size_t>(unused.size() - at, options.batch_objects);
        give(full, unused.data() + at, static_cast<std::uint32_t>(count));
    }
    std::size_t given_back = 0;
    for (std::size_t slab = 0; slab < unused_of.size(); ++slab) {
        if (!is_unused(slab)) continue;
        give_slab(slab);
        given_back += slab_bytes;
    }
    return given_back;
}

ObjectPool::ObjectPool(const ObjectPoolOptions& options)
    : shared_(std::make_unique<Shared>(options, used_)),
      own_cache_(*shared_),
      marks_(&shared_->mark(0)),
      base_(reinterpret_cast<std::uintptr_t>(shared_->memory.data())),
      shift_(shared_->shift),
      mask_((std::uintptr_t{1} << shared_->shift) - 1) {}

ObjectPool::~ObjectPool() = default;

void ObjectPool::refill(Cache& cache) {
    shared_->refill(
        cache.bin, cache.items.data(), shared_->full, shared_->exhausted.c_str(),
        [this](std::byte** items) { return shared_->make(items); }, [this] { trim(); });
}

void ObjectPool::spill(Cache& cache) {
    shared_->give_from(cache.bin, cache.items.data(), shared_->full,
                       shared_->options.batch_objects);
}

void ObjectPool::refuse(const void* object) const {
    const std::uintptr_t place = place_of(object);
    const std::string name = shared_->options.name;
    // acquire: pairs with the release of take_slab()
    if (place >= used_.load(std::memory_order_acquire)) {
        throw NotInUse("what is put must be of this " + name);
    }
    if (shared_->mark(place).load(std::memory_order_relaxed) != unused(place)) {
        throw NotInUse("what is put must be the beginning of something that this " + name +
                       " has in use");
    }
    throw NotInUse("what is put into this " + name + " was put before");
}

void ObjectPool::get_many(std::span<void*> objects) {
    get_all(objects, [this] { return get(); }, [this](void* object) { put(object); });
}

void ObjectPool::put_many(std::span<void* const> objects) {
    const auto mark = [this](std::uintptr_t place, std::uint8_t value) {
        shared_->mark(place).store(value, std::memory_order_relaxed);
    };
    put_all(
        objects,
        [&](void* object) {
            const std::uintptr_t place = check(object);
            mark(place, unused(place));
        },
        [&](void* object) { mark(place_of(object), in_use(place_of(object))); },
        [this](void* object) { put(object); });
}

PoolCounts ObjectPool::counts() const {
    PoolCounts counts;
    const std::lock_guard lock(shared_->mutex);
    for (const auto& cache : shared_->caches) {
        counts.allocations += cache->bin.gets();
        counts.deallocations += cache->bin.puts();
    }
    counts.misses = shared_->misses;
    counts.bytes_held = shared_->held;
    counts.bytes_held_max = shared_->held_max;
    return counts;
}

std::size_t ObjectPool::slabs() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->held / shared_->slab_bytes;
}

std::size_t ObjectPool::trim() {
    shared_->empty_out(own_cache_.get());
    const std::lock_guard lock(shared_->mutex);
    return shared_->trim();
}

}  // namespace dwcp::memory::detail
