// Encodes one block after the other; what encode() and Encoder share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bytes.hpp"
#include "delta/codec.hpp"
#include "delta/wire.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/delta/delta.hpp"

namespace dwcp::delta {

// Throws std::invalid_argument when an option is out of bounds.
void check_options(const Options& options);

// Pages of a block, of kPageBytes each from its beginning on.
struct PageRun {
    std::size_t first;
    std::size_t count;
};

class BlockEncoder {
  public:
    explicit BlockEncoder(const Options& options);

    // Compares `current` with `previous`, the next block of the state, and appends a record to
    // `out` when they differ.
    void encode(std::span<const std::byte> current, std::span<const std::byte> previous,
                Bytes& out);

    // The same, and makes `previous` equal to what was encoded. Only these pages are compared,
    // which are ascending and not adjacent.
    void encode_update(std::span<const std::byte> current, std::span<std::byte> previous,
                       std::span<const PageRun> pages, Bytes& out);
    // The next block, of this length, is as it was.
    void skip(std::size_t block_length) noexcept;

    // From now on computes the digest of the previous state along the way, for encode() only.
    void track_base_digest() noexcept;
    [[nodiscard]] std::uint64_t base_digest() const noexcept { return base_digest_.value_or(0); }

    // Digest of the current state, when all blocks of a state of this length went through.
    [[nodiscard]] std::uint64_t result_digest(std::uint64_t base_digest,
                                              std::uint64_t state_length) const;
    [[nodiscard]] std::uint64_t changed_lines() const noexcept { return changed_lines_; }
    [[nodiscard]] std::uint64_t changed_bytes() const noexcept { return changed_bytes_; }

    // Starts the next delta and keeps the working memory.
    void restart() noexcept;

  private:
    struct Estimate {
        std::size_t lines_bytes;  // of a kLines record
        std::size_t runs_bytes;   // of a kRuns record, about
    };

    // Fills line_masks_ and packed_; returns how many lines changed.
    template <bool kUpdate, typename Previous>
    std::size_t scan(std::span<const std::byte> current, std::span<Previous> previous,
                     std::span<const PageRun> pages);

    // Appends the record for the block that scan() looked at. `previous` is what the block held
    // before or, when updated, what it holds now.
    void append(std::span<const std::byte> previous, bool updated, std::size_t changed, Bytes& out);
    void update_digest(std::uint64_t block_offset, std::size_t block_length);
    void digest_page(std::uint64_t offset, std::size_t length, std::uint64_t mask,
                     const std::byte* packed);
    [[nodiscard]] Estimate estimate(std::size_t changed);
    [[nodiscard]] bool is_fill(std::span<const std::byte> previous, bool updated,
                               std::size_t changed);
    [[nodiscard]] std::size_t values_bytes(std::size_t block_length, std::size_t changed) const;
    void build_fresh(std::span<const std::byte> previous, bool updated, std::size_t changed);
    void build_lines_index();
    void build_runs(std::size_t lines);
    [[nodiscard]] Mode choose_compressed(std::size_t changed, std::size_t values_bytes);
    template <typename Visit>
    void for_each_line_run(Visit&& visit) const;

    using Scratch = std::vector<std::byte, UninitializedAllocator<std::byte>>;

    Mode mode_;
    std::optional<std::uint64_t> base_digest_;
    Compressor compressor_;
    std::vector<std::uint64_t> line_masks_;  // one for each page of the block
    std::vector<std::uint64_t> byte_masks_;  // one for each changed line
    Scratch packed_;                         // XOR of the changed lines
    Scratch fresh_;                          // new contents of the changed lines
    Scratch index_;
    Scratch runs_;  // values of a runs record, or a whole block
    checksum::LinearCrc64Nvme change_;
    std::uint64_t change_end_ = 0;  // of the state covered by change_
    std::uint64_t offset_ = 0;      // of the next block
    std::uint64_t skipped_ = 0;     // unchanged blocks since the last record
    std::uint64_t changed_lines_ = 0;
    std::uint64_t changed_bytes_ = 0;
    std::size_t pages_ = 0;      // of the block
    bool tail_changed_ = false;  // whether its last line is shorter than 64 bytes and changed
};

}  // namespace dwcp::delta
