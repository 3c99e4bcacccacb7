#include "dwcp/checksum/chunks.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "bytes.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/gear.hpp"

namespace dwcp::checksum {

namespace {

// Positions whose hashes are computed at once; what is found of them stays in the caches.
constexpr std::size_t kBlockBytes = std::size_t{64} << 10;
// Normalised chunking: before the average a boundary is four times rarer than on the average,
// behind it four times as frequent.
constexpr std::uint64_t kNormal = 4;

void check(const ChunkSizes& sizes) {
    const auto fail = [](const char* name, std::uint64_t value, const char* bound) {
        throw std::invalid_argument(std::string("chunks: ") + name + " must be " + bound +
                                    ", not " + std::to_string(value));
    };
    if (sizes.min < ChunkSizes::kMinMin) fail("min", sizes.min, "at least 64 bytes");
    if (sizes.max > ChunkSizes::kMaxMax) fail("max", sizes.max, "at most 268435456 bytes");
    if (sizes.avg < sizes.min) fail("avg", sizes.avg, "at least min");
    if (sizes.avg > sizes.max) fail("avg", sizes.avg, "at most max");
}

// Finds the boundaries from the positions that may be one, which come in ascending order.
class Cutter {
  public:
    Cutter(const ChunkSizes& sizes, std::uint32_t strict) : sizes_(sizes), strict_(strict) {}

    void may_end_with(std::uint64_t position, std::uint32_t hash) {
        cut_longest(position);
        const std::uint64_t length = position + 1 - start_;
        if (length < sizes_.min || (length < sizes_.avg && hash >= strict_)) return;
        cut(length);
    }

    std::vector<Chunk> finish(std::uint64_t size) {
        if (size == 0) return {};
        cut_longest(size - 1);
        if (size > start_) cut(size - start_);
        return std::move(chunks_);
    }

  private:
    // Chunks that reach their greatest length before `position`.
    void cut_longest(std::uint64_t position) {
        while (position + 1 - start_ > sizes_.max) cut(sizes_.max);
    }
    void cut(std::uint64_t length) {
        chunks_.push_back({start_, length});
        start_ += length;
    }

    ChunkSizes sizes_;
    std::uint32_t strict_;
    std::uint64_t start_ = 0;
    std::vector<Chunk> chunks_;
};

}  // namespace

std::vector<Chunk> chunks(std::span<const std::byte> data, const ChunkSizes& sizes) {
    check(sizes);
    constexpr std::uint64_t kHashes = std::uint64_t{1} << 32;
    const auto strict = static_cast<std::uint32_t>(kHashes / (sizes.avg * kNormal));
    const auto loose = static_cast<std::uint32_t>(kHashes * kNormal / sizes.avg);
    Cutter cutter(sizes, strict);
    const std::size_t block_bytes = std::min(kBlockBytes, data.size());
    std::vector<std::uint32_t, UninitializedAllocator<std::uint32_t>> offsets(block_bytes);
    std::vector<std::uint32_t, UninitializedAllocator<std::uint32_t>> hashes(block_bytes);
    // No chunk ends before there are min bytes, which are more than a hash takes.
    static_assert(ChunkSizes::kMinMin > kernels::kGearWindow);
    for (std::size_t first = sizes.min - 1; first < data.size(); first += block_bytes) {
        const std::size_t last = std::min(data.size(), first + block_bytes);
        const std::size_t count = kernels::active().gear_hits(as_u8(data.data()), first, last,
                                                              loose, offsets.data(), hashes.data());
        for (std::size_t i = 0; i < count; ++i) cutter.may_end_with(first + offsets[i], hashes[i]);
    }
    return cutter.finish(data.size());
}

}  // namespace dwcp::checksum
