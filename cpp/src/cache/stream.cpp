#include "dwcp/cache/stream.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "cache/fetch.hpp"
#include "dwcp/os/advice.hpp"

namespace dwcp::cache {

namespace {

// Of each chunk: what comes behind, the processor foresees from there.
constexpr std::size_t kFetchedBytesMax = std::size_t{4} << 10;
// The same where chunks touch, and it has foreseen their beginning, too, unless they are worked
// through in another order.
constexpr std::size_t kTouchingFetchedBytesMax = 256;
// Of all that are ahead: half of the smallest second-level caches that there are.
constexpr std::size_t kFetchedBytesAll = std::size_t{128} << 10;
// Chunks further apart are asked for one by one: what lies between them is not wanted.
constexpr std::size_t kGapBytesMax = std::size_t{64} << 10;
// So many of those at least are on their way.
constexpr std::size_t kChunksAheadMin = 4;

}  // namespace

Stream::Stream(std::span<const std::byte> data, std::size_t chunk, const StreamOptions& options)
    : data_(data), chunk_(chunk), stride_(options.stride), distance_(options.distance) {
    if (chunk == 0) throw std::invalid_argument("chunk must be at least 1 byte, but is 0");
    if (distance_ > kDistanceMax) {
        throw std::invalid_argument("distance must be 0 to " + std::to_string(kDistanceMax) +
                                    " chunks, but is " + std::to_string(distance_));
    }
    if (stride_ == 0) stride_ = chunk;
    count_ = data.size() / stride_ + (data.size() % stride_ != 0 ? 1 : 0);
    const std::size_t most = stride_ == chunk ? kTouchingFetchedBytesMax : kFetchedBytesMax;
    const std::size_t share = kFetchedBytesAll / std::max<std::size_t>(distance_, 1);
    fetched_bytes_ = std::min({chunk, most, share / kLineBytes * kLineBytes});
    close_ = stride_ < kGapBytesMax || stride_ - kGapBytesMax < chunk;
    mapped_ = options.mapped;
}

Stream::~Stream() {
    if (mapped_ && close_ && advised_bytes() > 0) {
        // What cannot be undone does no harm.
        static_cast<void>(os::advise(data_, os::Advice::kNormal));
    }
}

std::span<const std::byte> Stream::chunk(std::size_t index) const noexcept {
    const std::size_t at = offset(index);
    return data_.subspan(at, std::min(chunk_, data_.size() - at));
}

void Stream::fetch(std::size_t index) const noexcept {
    if (index >= count_) return;
    const std::span<const std::byte> next = chunk(index);
    fetch_lines<Access::kRead, Locality::kMiddle>(
        next.first(std::min(next.size(), fetched_bytes_)));
}

void Stream::fetch_ahead(std::size_t index) noexcept {
    if (will_advise(index)) advise(index);
    if (distance_ == 0) return;
    if (index == 0) {
        for (std::size_t i = 1; i < distance_; ++i) fetch(i);
    }
    fetch(index + distance_);
}

// What is counted is for nobody to rely on, and so nothing is ordered by it: all of it is relaxed.
bool Stream::will_advise(std::size_t index) const noexcept {
    const std::size_t ahead = std::max(distance_, kChunksAheadMin);
    const std::size_t wanted =
        close_ ? std::min<std::size_t>(count_, 1) : std::min(count_, index + 1 + ahead);
    return mapped_ && advised_.load(std::memory_order_relaxed) < wanted && refusal() == 0;
}

void Stream::advise(std::size_t index) noexcept {
    while (will_advise(index)) {
        // Whoever takes a chunk asks for it.
        const std::size_t taken = advised_.fetch_add(1, std::memory_order_relaxed);
        if (taken >= (close_ ? 1 : count_)) return;
        const std::span<const std::byte> bytes = close_ ? data_ : chunk(taken);
        const auto advice = close_ ? os::Advice::kSequential : os::Advice::kWillNeed;
        if (const int error = os::advise(bytes, advice); error != 0) {
            refusal_.store(error, std::memory_order_relaxed);
            return;
        }
        advised_bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
    }
}

std::size_t Stream::advised_bytes() const noexcept {
    return advised_bytes_.load(std::memory_order_relaxed);
}
int Stream::refusal() const noexcept {
    return refusal_.load(std::memory_order_relaxed);
}

}  // namespace dwcp::cache
