// Content-defined chunking: boundaries that move with the content, so that after an insertion only
// the chunks around it differ. After FastCDC (W. Xia et al., "FastCDC: a Fast and Efficient
// Content-Defined Chunking Approach for Data Deduplication", 2016), with a gear hash whose table
// and window are in docs/chunks.md. Boundaries are the same on every processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dwcp::checksum {

struct Chunk {
    std::uint64_t offset;
    std::uint64_t length;
    friend bool operator==(const Chunk&, const Chunk&) = default;
};

// Lengths in bytes.
struct ChunkSizes {
    static constexpr std::uint64_t kMinMin = 64;
    static constexpr std::uint64_t kMaxMax = std::uint64_t{1} << 28;

    std::uint64_t min = 2048;
    std::uint64_t avg = 8192;
    std::uint64_t max = 65536;
};

// Chunks of `data`, in order and without gaps; none of empty data. All but the last have at least
// sizes.min bytes and all at most sizes.max; sizes.avg is where boundaries begin to be easy to
// find, and the mean of data without structure is near it. Throws std::invalid_argument unless 64
// <= min <= avg <= max <= 2^28. May be called from any thread.
[[nodiscard]] std::vector<Chunk> chunks(std::span<const std::byte> data,
                                        const ChunkSizes& sizes = {});

}  // namespace dwcp::checksum
