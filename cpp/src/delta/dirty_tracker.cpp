#include "dwcp/delta/dirty_tracker.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "delta/parts.hpp"
#include "os/write_tracking.hpp"

namespace dwcp::delta {

namespace {

// Unique in the process.
std::uint64_t next_stamp() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;  // pairs with nothing: only distinct
}

// Appends a range, or lengthens the last one where they touch.
void append(std::vector<Region>& regions, std::uint64_t begin, std::uint64_t end) {
    if (begin == end) return;
    if (!regions.empty() && regions.back().offset + regions.back().length >= begin) {
        Region& last = regions.back();
        last.length = std::max(last.offset + last.length, end) - last.offset;
        return;
    }
    regions.push_back({begin, end - begin});
}

std::vector<Region> merged(std::vector<Region> regions, std::span<const Region> others) {
    regions.insert(regions.end(), others.begin(), others.end());
    std::sort(regions.begin(), regions.end(),
              [](const Region& a, const Region& b) { return a.offset < b.offset; });
    std::vector<Region> all;
    for (const Region& region : regions) append(all, region.offset, region.offset + region.length);
    return all;
}

}  // namespace

struct DirtyTracker::Impl {
    // Tracks what can be tracked; says in `reason` why not the rest.
    void start() {
        pages.assign(parts.size(), {});
        reason.clear();
        tracking.reset();
        try {
            tracking.emplace();
        } catch (const std::system_error& error) {
            reason = error.what();
            return;
        }
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (parts[i].bytes.empty()) continue;
            if (!options.exclusive) {
                if (const std::string why = os::shared_because(parts[i].bytes); !why.empty()) {
                    note(i, why);
                    continue;
                }
            }
            try {
                pages[i] = tracking->add(parts[i].bytes);
                if (pages[i].empty()) note(i, "it holds no whole page");
            } catch (const std::system_error& error) {
                note(i, error.what());
            }
        }
    }

    void note(std::size_t part, const std::string& why) {
        pages[part] = {};
        if (!reason.empty()) return;  // the first reason is enough
        reason = "the memory at offset " + std::to_string(parts[part].offset);
        reason += " is not tracked: " + why;
    }

    // Appends what may have been written of a part.
    void collect(std::size_t part, std::vector<Region>& regions) {
        const auto [offset, bytes] = parts[part];
        written.clear();
        if (!pages[part].empty()) {
            try {
                tracking->collect(pages[part], written);
            } catch (const std::system_error& error) {
                note(part, error.what());
            }
        }
        if (pages[part].empty()) return append(regions, offset, offset + bytes.size());

        const auto offset_of = [&](const std::byte* place) {
            return offset + static_cast<std::uint64_t>(place - bytes.data());
        };
        append(regions, offset, offset_of(pages[part].data()));
        for (const os::Memory range : written) {
            append(regions, offset_of(range.data()), offset_of(range.data() + range.size()));
        }
        append(regions, offset_of(pages[part].data() + pages[part].size()), offset + bytes.size());
    }

    TrackerOptions options;
    std::vector<Part> parts;
    std::vector<os::Memory> pages;  // of each part, those that are tracked
    std::optional<os::WriteTracking> tracking;
    std::string reason;
    std::vector<Region> marked;
    std::vector<os::Memory> written;  // of one part
    bool everything = false;          // counts as written
    std::uint64_t stamp = next_stamp();
};

DirtyTracker::DirtyTracker(std::span<const Part> parts, const TrackerOptions& options)
    : impl_(std::make_unique<Impl>()) {
    check_parts(parts, end_of(parts));
    impl_->options = options;
    impl_->parts.assign(parts.begin(), parts.end());
    impl_->start();
}
DirtyTracker::DirtyTracker(DirtyTracker&&) noexcept = default;
DirtyTracker& DirtyTracker::operator=(DirtyTracker&&) noexcept = default;
DirtyTracker::~DirtyTracker() = default;

std::vector<Region> DirtyTracker::collect() {
    Impl& impl = *impl_;
    std::vector<Region> regions;
    impl.stamp = next_stamp();
    // What was collected when memory ran out before it could be told is told next time.
    bool everything = std::exchange(impl.everything, true);
    if (impl.tracking && impl.tracking->is_inherited()) {
        impl.start();
        everything = true;
    }
    for (std::size_t i = 0; i < impl.parts.size(); ++i) impl.collect(i, regions);
    if (everything) {
        regions.clear();
        for (const Part& part : impl.parts) {
            append(regions, part.offset, part.offset + part.bytes.size());
        }
    }
    if (!impl.marked.empty()) regions = merged(std::move(regions), impl.marked);
    impl.marked.clear();
    impl.everything = false;
    return regions;
}

void DirtyTracker::mark(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = end_of(impl_->parts);
    if (offset > end || length > end - offset) {
        throw std::invalid_argument("offset and length must be within the " + std::to_string(end) +
                                    " bytes of the state, but are " + std::to_string(offset) +
                                    " and " + std::to_string(length));
    }
    if (length > 0) impl_->marked.push_back({offset, length});
}

void DirtyTracker::mark_all() noexcept {
    impl_->everything = true;
}

DirtyTracker::Method DirtyTracker::method() const noexcept {
    return tracked_bytes() > 0 ? Method::kWriteProtect : Method::kFullScan;
}
const std::string& DirtyTracker::reason() const noexcept {
    return impl_->reason;
}
std::uint64_t DirtyTracker::tracked_bytes() const noexcept {
    std::uint64_t bytes = 0;
    for (const os::Memory pages : impl_->pages) bytes += pages.size();
    return bytes;
}
std::span<const Part> DirtyTracker::parts() const noexcept {
    return impl_->parts;
}
std::uint64_t DirtyTracker::stamp() const noexcept {
    return impl_->stamp;
}

}  // namespace dwcp::delta
