#include "memory/pool_shared.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "os/pages.hpp"
#include "os/placing.hpp"

namespace dwcp::memory {

namespace {

constexpr std::size_t kAddressesMin = std::size_t{64} << 20;

std::size_t addresses(const PoolOptions& options) {
    const std::size_t limit_min = options.huge_pages ? os::ReservedMemory::kAlignment : 1;
    if (options.limit_bytes < limit_min) {
        throw std::invalid_argument(std::string("limit_bytes of a buffer pool ") +
                                    (options.huge_pages ? "with huge pages " : "") + "must be " +
                                    std::to_string(limit_min) + " or more, but is " +
                                    std::to_string(options.limit_bytes));
    }
    os::check_placing(options.placing, options.nodes);
    if (options.address_space_bytes != 0) {
        return std::clamp(options.address_space_bytes, os::ReservedMemory::kAlignment,
                          std::size_t{1} << 46);
    }
    return default_address_space_bytes();
}

}  // namespace

BufferPool::Shared::Shared(const PoolOptions& options, std::atomic<std::size_t>& used_granules)
    : used(used_granules),
      limit_bytes(options.limit_bytes),
      keep_larger_bytes(options.keep_larger_bytes),
      huge_pages(options.huge_pages),
      memory(addresses(options), std::min(addresses(options), kAddressesMin)),
      marks(memory.size() / kSmallestClassBytes, memory.size() / kSmallestClassBytes) {
    // Once for all addresses: no page has come yet, and those that go and come again do the same.
    reason = os::place_pages({memory.data(), memory.size()}, options.placing, options.nodes);
    static_cast<void>(
        os::place_pages({marks.data(), marks.size()}, options.placing, options.nodes));
    if (huge_pages && !memory.prefer_huge_pages(0, memory.size())) {
        reason += std::string(reason.empty() ? "" : "; ") +
                  "the kernel makes no huge pages of plain ones";
    }
}

void BufferPool::Shared::bring_pages(std::byte* data, std::size_t size) noexcept {
    if (huge_pages) os::touch_huge_pages({data, size});
    os::touch_pages(data, size);
}

std::byte* BufferPool::Shared::take_larger(std::size_t bytes, bool& is_new) {
    const std::size_t count = (bytes + kRegionBytes - 1) / kRegionBytes;
    // The one that was used last, of as many regions and with as many pages.
    const auto found = std::find_if(kept.rbegin(), kept.rend(), [&](std::size_t place) {
        const Larger& candidate = larger.at(place);
        return candidate.regions == count && candidate.bytes >= bytes;
    });
    is_new = found == kept.rend();
    std::size_t place = 0;
    if (is_new) {
        const std::size_t more = huge_pages ? count * kRegionBytes : bytes;
        if (!is_within_limit(more)) return nullptr;
        place = take_regions(count) * kRegionBytes;
        // As NumPy does from here on.
        if (!huge_pages && bytes >= 2 * kRegionBytes) memory.prefer_huge_pages(place, bytes);
        larger.emplace(place, Larger{count, bytes, more});
        count_held(larger_held, larger_held_max, more);
        ++larger_misses;
    } else {
        place = *found;
        kept_bytes -= larger.at(place).held;
        kept.erase(std::next(found).base());
    }
    ++larger_gets;
    return memory.data() + place;
}

void BufferPool::Shared::give_larger(std::size_t place) {
    ++larger_puts;
    kept.push_back(place);
    kept_bytes += larger.at(place).held;
    drop_kept(keep_larger_bytes);
}

std::size_t BufferPool::Shared::drop_kept(std::size_t bytes_max) {
    std::size_t given_back = 0;
    std::size_t dropped = 0;
    for (; kept_bytes > bytes_max; ++dropped) {
        const auto found = larger.find(kept[dropped]);
        const Larger one = found->second;
        larger.erase(found);
        give_regions(kept[dropped] / kRegionBytes, one.regions);
        kept_bytes -= one.held;
        given_back += one.held;
    }
    kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(dropped));
    larger_held -= given_back;
    held -= given_back;
    return given_back;
}

std::size_t BufferPool::Shared::take_regions(std::size_t count) {
    const auto row = std::find_if(free_regions.begin(), free_regions.end(),
                                  [&](const auto& candidate) { return candidate.second >= count; });
    if (row != free_regions.end()) {
        const auto [first, free] = *row;
        free_regions.erase(row);
        if (free > count) free_regions.emplace(first + count, free - count);
        return first;
    }
    const std::size_t first = regions.size();
    if (count > memory.size() / kRegionBytes - first && drop_kept(0) > 0)
        return take_regions(count);
    if (count > memory.size() / kRegionBytes - first ||
        !memory.use(first * kRegionBytes, count * kRegionBytes) ||
        !marks.use(first * kRegionMarks, count * kRegionMarks)) {
        throw std::bad_alloc();
    }
    regions.resize(first + count);
    used.store(regions.size() * kRegionMarks, std::memory_order_release);
    return first;
}

void BufferPool::Shared::give_regions(std::size_t first, std::size_t count) {
    memory.discard(first * kRegionBytes, count * kRegionBytes);
    marks.discard(first * kRegionMarks, count * kRegionMarks);
    std::fill_n(regions.begin() + static_cast<std::ptrdiff_t>(first), count, Region{});
    const auto next = free_regions.lower_bound(first);
    if (next != free_regions.begin()) {
        const auto before = std::prev(next);
        if (before->first + before->second == first) {
            first = before->first;
            count += before->second;
            free_regions.erase(before);
        }
    }
    if (next != free_regions.end() && first + count == next->first) {
        count += next->second;
        free_regions.erase(next);
    }
    free_regions.emplace(first, count);
}

void BufferPool::Shared::count_held(std::uint64_t& class_held, std::uint64_t& class_held_max,
                                    std::size_t more) noexcept {
    class_held += more;
    class_held_max = std::max(class_held_max, class_held);
    held += more;
    held_max = std::max(held_max, held);
}

std::uint32_t BufferPool::Shared::make(std::size_t size_class, std::uint32_t want,
                                       std::byte** items) {
    ClassMemory& own = classes[size_class];
    const std::size_t size = class_bytes(size_class);
    std::uint32_t made = 0;
    while (made < want) {
        const bool begins = own.place == own.end;
        const std::size_t more = !huge_pages ? size : begins ? kRegionBytes : 0;
        if (!is_within_limit(more)) break;
        if (begins) {
            if (made > 0) break;  // or these were lost where there is no other region
            const std::size_t region = take_regions(1);
            own.place = region * kRegionBytes;
            own.end = own.place + kRegionBytes;
            if (huge_pages) bring_pages(memory.data() + own.place, 1);
        }
        std::byte* const buffer = memory.data() + own.place;
        os::touch_pages(buffer, size);
        marks_of_granules()[granule_of(buffer)].store(static_cast<std::uint8_t>(size_class + 1),
                                                      std::memory_order_relaxed);
        ++regions[own.place / kRegionBytes].made;
        own.place += size;
        items[made++] = buffer;
        count_held(own.held, own.held_max, more);
    }
    return made;
}

detail::ThreadCache* BufferPool::Shared::make_cache() {
    caches.push_back(std::make_unique<Cache>());
    for (std::size_t i = 0; i < kSizeClasses; ++i) caches.back()->bins[i].count_max = 2 * batch(i);
    return caches.back().get();
}

void BufferPool::Shared::give_from(Cache& cache, std::size_t size_class, std::uint32_t count) {
    SharedCaches::give_from(cache.bins[size_class], cache.items[size_class].data(),
                            full[size_class], count);
}

void BufferPool::Shared::empty_out(detail::ThreadCache& cache) {
    auto& own = static_cast<Cache&>(cache);
    for (std::size_t size_class = 0; size_class < kSizeClasses; ++size_class) {
        while (const std::uint32_t count = own.bins[size_class].count()) {
            give_from(own, size_class, std::min(count, batch(size_class)));
        }
    }
}

std::size_t BufferPool::Shared::trim_class(std::size_t size_class) {
    std::vector<std::byte*> unused = take_all(full[size_class]);
    const auto region_of = [&](const std::byte* buffer) { return place_of(buffer) / kRegionBytes; };
    std::unordered_map<std::size_t, std::size_t> unused_of;
    for (const std::byte* buffer : unused) ++unused_of[region_of(buffer)];

    ClassMemory& own = classes[size_class];
    std::size_t given_back = 0;
    const auto is_given_back = [&](std::size_t region) {
        return unused_of[region] == regions[region].made;
    };
    std::erase_if(unused,
                  [&](const std::byte* buffer) { return is_given_back(region_of(buffer)); });
    for (std::size_t at = 0; at < unused.size(); at += batch(size_class)) {
        const auto some = static_cast<std::uint32_t>(
            std::min<std::size_t>(unused.size() - at, batch(size_class)));
        give(full[size_class], unused.data() + at, some);
    }
    for (const auto& [region, count] : unused_of) {
        if (count != regions[region].made) continue;
        if (own.place != own.end && own.place / kRegionBytes == region) own.place = own.end;
        given_back += huge_pages ? kRegionBytes : count * class_bytes(size_class);
        give_regions(region, 1);
    }
    own.held -= given_back;
    held -= given_back;
    return given_back;
}

}  // namespace dwcp::memory
