// Deltas between two states of equal length. The format is written down in docs/format.md.
//
// A delta names the length and digest (CRC-64/NVME) of the state that it applies to and the digest
// of the state that it yields. Nothing is written before all of a delta is verified, including the
// digest of the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dwcp/delta/xor.hpp"

namespace dwcp::delta {

inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 48;
inline constexpr std::size_t kBlockBytesMin = std::size_t{4} << 10;
inline constexpr std::size_t kBlockBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kBlockBytesDefault = std::size_t{1} << 20;

// Second stage: what the streams of a record are compressed with.
enum class Codec : std::uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };

// How changed blocks are written. kAuto takes for each block what comes out smallest.
enum class Mode : std::uint8_t { kAuto, kRaw, kLinesXor, kLinesNew, kRuns };

struct Options {
    Codec codec = Codec::kNone;
    int level = 0;  // of the codec; 0 is the codec's choice here: lz4 fast, zstd 1
    Mode mode = Mode::kAuto;
    std::size_t block_bytes = kBlockBytesDefault;  // a power of two within the bounds above
    // Digest of the previous state where the caller knows it; without it that state is read once
    // more, in the same pass.
    std::optional<std::uint64_t> base_digest;
};

using Bytes = std::vector<std::byte>;

// Delta that turns `previous` into `current`. Throws std::invalid_argument when the lengths differ
// or an option is out of bounds. A state that another thread writes to meanwhile gives a delta
// that apply() may refuse, never a wrong result. May be called from any thread.
[[nodiscard]] Bytes encode(std::span<const std::byte> current, std::span<const std::byte> previous,
                           const Options& options = {});

// Delta that turns an all-zero state into `current`.
[[nodiscard]] Bytes encode_from_zeros(std::span<const std::byte> current,
                                      const Options& options = {});

// Applies `delta` to `state` in place and returns the digest of the new state. Without
// `base_digest`, the known digest of `state`, the state is read in full to compute it.
// Memory beyond the arguments: at most twice the length of the changed blocks.
// Throws CorruptDelta, WrongBase or Unsupported and leaves `state` as it was.
// The caller keeps other threads away from `state`.
std::uint64_t apply(std::span<const std::byte> delta, std::span<std::byte> state,
                    std::optional<std::uint64_t> base_digest = {});

// Writes the state that `delta` makes of `previous` into `out`, which is `previous` exactly or does
// not overlap it. `out` is untouched unless everything is verified. An absent `previous` is an
// all-zero state. Throws as apply() does, and std::invalid_argument on a partial overlap.
std::uint64_t decode(std::span<const std::byte> delta,
                     std::optional<std::span<const std::byte>> previous, std::span<std::byte> out,
                     std::optional<std::uint64_t> base_digest = {});

// Length in bytes of the state that `delta` is for, from its header alone.
// Throws CorruptDelta or Unsupported.
[[nodiscard]] std::uint64_t state_length(std::span<const std::byte> delta);

struct Inspection {
    std::uint16_t version = 0;
    std::uint64_t state_length_bytes = 0;
    std::uint64_t base_digest = 0;
    std::uint64_t result_digest = 0;
    std::uint32_t block_size_bytes = 0;
    std::uint64_t wire_bytes = 0;
    std::uint64_t changed_blocks = 0;
    std::uint64_t changed_bytes = 0;              // bytes of the state that the records write
    std::map<std::string, std::uint64_t> modes;   // records by mode
    std::map<std::string, std::uint64_t> codecs;  // streams by codec
    // Length of the state for each byte of the delta.
    [[nodiscard]] double ratio() const noexcept {
        return static_cast<double>(state_length_bytes) / static_cast<double>(wire_bytes);
    }
};

// What is in a delta; verifies all but the digests. Throws CorruptDelta or Unsupported.
[[nodiscard]] Inspection inspect(std::span<const std::byte> delta);

// Ranges that applying `delta` may write, ascending and disjoint; those that at most `merge_gap`
// bytes separate are one. Throws CorruptDelta or Unsupported.
[[nodiscard]] std::vector<Region> regions(std::span<const std::byte> delta,
                                          std::uint64_t merge_gap = 0);

// One delta that has the effect of all `deltas`, which follow each other; `state` is what the last
// of them yields, and the values are taken from it: the latest wins.
// Throws CorruptDelta, Unsupported, or WrongBase when one does not continue the one before it or
// `state` has another length. The digest of `state` is not recomputed.
[[nodiscard]] Bytes compose(std::span<const std::span<const std::byte>> deltas,
                            std::span<const std::byte> state, const Options& options = {});

}  // namespace dwcp::delta
