#include "delta/block_encoder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>

#include "delta/runs.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::delta {

namespace {

constexpr std::size_t kPageLines = kPageBytes / kLineBytes;
// Slack behind scratch buffers into which whole lines are stored and then partly kept.
constexpr std::size_t kSlackBytes = kLineBytes;
// Runs of changed lines in a page up to which the zeros between them are skipped one by one.
constexpr std::size_t kDigestRunsMax = 3;
// Lines between two steps of the base's digest: whole pages, few enough to stay in the first-level
// cache.
constexpr std::size_t kDigestPieceLines = 2 * kPageLines;
// Lines of a block that decide which form compresses best.
constexpr std::size_t kSampleLines = 1024;

// Fills zero gaps shorter than kRunGapMin between set bits.
std::uint64_t close_gaps(std::uint64_t mask) {
    static_assert(kRunGapMin == 4);
    // Gap of one, then of two and three: a clear bit with set bits near enough on both sides.
    const std::uint64_t below1 = mask << 1;
    const std::uint64_t below2 = mask << 2;
    const std::uint64_t below3 = mask << 3;
    const std::uint64_t above1 = mask >> 1;
    const std::uint64_t above2 = mask >> 2;
    const std::uint64_t above3 = mask >> 3;
    return mask | (below1 & (above1 | above2 | above3)) | (below2 & (above1 | above2)) |
           (below3 & above1);
}

// Copies a run of at most one line. Most are short, and a copy of fixed size costs a few
// instructions where memcpy is a call; both buffers have a line of slack behind them.
inline void copy_run(std::byte* out, const std::byte* in, unsigned count) {
    if (count <= 16) {
        std::memcpy(out, in, 16);
    } else {
        std::memcpy(out, in, kLineBytes);
    }
}

std::size_t count_pages(std::size_t block_length) {
    return (block_length + kPageBytes - 1) / kPageBytes;
}

bool all_equal(std::span<const std::byte> bytes, std::byte value) {
    if (bytes.empty()) return true;
    return bytes[0] == value && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

}  // namespace

void check_options(const Options& options) {
    if (!std::has_single_bit(options.block_bytes) || options.block_bytes < kBlockBytesMin ||
        options.block_bytes > kBlockBytesMax) {
        throw std::invalid_argument(
            "block_size must be a power of two from " + std::to_string(kBlockBytesMin) + " to " +
            std::to_string(kBlockBytesMax) + " bytes, not " + std::to_string(options.block_bytes));
    }
}

BlockEncoder::BlockEncoder(const Options& options)
    : mode_(options.mode), compressor_(options.codec, options.level) {
    check_options(options);
    const std::size_t lines = options.block_bytes / kLineBytes;
    line_masks_.resize(lines / kPageLines);
    byte_masks_.resize(lines);
    packed_.resize(options.block_bytes + kSlackBytes);
}

void BlockEncoder::track_base_digest() noexcept {
    base_digest_ = 0;
}

void BlockEncoder::restart() noexcept {
    change_ = {};
    change_end_ = offset_ = skipped_ = changed_lines_ = changed_bytes_ = 0;
}

std::uint64_t BlockEncoder::result_digest(std::uint64_t base_digest,
                                          std::uint64_t state_length) const {
    checksum::LinearCrc64Nvme change = change_;
    change.skip_zeros(state_length - change_end_);
    return base_digest ^ change.value();
}

template <bool kUpdate, typename Previous>
std::size_t BlockEncoder::scan(std::span<const std::byte> current, std::span<Previous> previous,
                               std::span<const PageRun> pages) {
    const kernels::Table& kernels = kernels::active();
    const auto run = [&](const std::byte* now, Previous* then, std::size_t lines,
                         std::uint64_t* masks, std::byte* packed) {
        if constexpr (kUpdate) {
            return kernels.scan_update(as_u8(now), as_u8(then), lines, masks, as_u8(packed));
        } else {
            return kernels.scan(as_u8(now), as_u8(then), lines, masks, as_u8(packed));
        }
    };
    const std::size_t whole = current.size() / kLineBytes;
    const std::size_t tail = current.size() % kLineBytes;
    pages_ = count_pages(current.size());
    // In one go, or piece by piece where the base's digest is wanted: the checksum of a piece is
    // computed from the cache while memory delivers the next one.
    const std::size_t piece = base_digest_ ? kDigestPieceLines : whole;
    std::size_t changed = 0;
    std::size_t end_page = 0;
    for (const auto [first_page, page_count] : pages) {
        std::fill(line_masks_.data() + end_page, line_masks_.data() + first_page, 0);
        end_page = first_page + page_count;
        const std::size_t end = std::min(end_page * kPageLines, whole);
        for (std::size_t line = first_page * kPageLines; line < end; line += piece) {
            const std::size_t count = std::min(piece, end - line);
            const std::size_t at = line * kLineBytes;
            changed +=
                run(current.data() + at, previous.data() + at, count,
                    line_masks_.data() + line / kPageLines, packed_.data() + changed * kLineBytes);
            if (base_digest_) {
                const auto bytes = previous.subspan(at, count * kLineBytes);
                base_digest_ = checksum::crc64nvme(bytes, *base_digest_);
            }
        }
    }
    std::fill(line_masks_.data() + end_page, line_masks_.data() + pages_, 0);
    if (base_digest_) {
        base_digest_ = checksum::crc64nvme(previous.subspan(whole * kLineBytes), *base_digest_);
    }
    tail_changed_ = false;
    if (tail != 0 && end_page == pages_) {
        // The last line is padded with zeros, which are equal on both sides.
        std::array<std::byte, kLineBytes> now{};
        std::array<std::byte, kLineBytes> then{};
        std::memcpy(now.data(), current.data() + whole * kLineBytes, tail);
        std::memcpy(then.data(), previous.data() + whole * kLineBytes, tail);
        if (whole % kPageLines == 0) line_masks_[pages_ - 1] = 0;
        std::uint64_t mask = 0;
        const auto last =
            run(now.data(), then.data(), 1, &mask, packed_.data() + changed * kLineBytes);
        line_masks_[pages_ - 1] |= mask << (whole % kPageLines);
        changed += last;
        tail_changed_ = last != 0;
        if constexpr (kUpdate) std::memcpy(previous.data() + whole * kLineBytes, then.data(), tail);
    }
    return changed;
}

void BlockEncoder::encode(std::span<const std::byte> current, std::span<const std::byte> previous,
                          Bytes& out) {
    const PageRun all{0, count_pages(current.size())};
    append(previous, false, scan<false>(current, previous, {&all, 1}), out);
}

void BlockEncoder::encode_update(std::span<const std::byte> current, std::span<std::byte> previous,
                                 std::span<const PageRun> pages, Bytes& out) {
    append(previous, true, scan<true>(current, previous, pages), out);
}

void BlockEncoder::skip(std::size_t block_length) noexcept {
    offset_ += block_length;
    ++skipped_;
}

// Calls visit(first line, count, first packed line) for each run of changed lines.
template <typename Visit>
void BlockEncoder::for_each_line_run(Visit&& visit) const {
    std::size_t packed = 0;
    for (std::size_t page = 0; page < pages_; ++page) {
        for_each_run(line_masks_[page], [&](unsigned first, unsigned count) {
            visit(page * kPageLines + first, std::size_t{count}, packed);
            packed += count;
        });
    }
}

// The XOR of a page whose lines `mask` changed enters the digest.
void BlockEncoder::digest_page(std::uint64_t offset, std::size_t length, std::uint64_t mask,
                               const std::byte* packed) {
    const std::size_t runs = static_cast<std::size_t>(std::popcount(mask & ~(mask << 1)));
    if (runs <= kDigestRunsMax) {
        for_each_run(mask, [&](unsigned first, unsigned count) {
            const std::size_t at = first * kLineBytes;
            const std::size_t bytes = std::min(count * kLineBytes, length - at);
            change_.skip_zeros(offset + at - change_end_);
            change_.update({packed, bytes});
            change_end_ = offset + at + bytes;
            packed += count * kLineBytes;
        });
        return;
    }
    // Skipping zeros costs as much as reading a few hundred bytes of them.
    std::array<std::byte, kPageBytes> page{};
    for_each_run(mask, [&](unsigned first, unsigned count) {
        std::memcpy(page.data() + first * kLineBytes, packed, count * kLineBytes);
        packed += count * kLineBytes;
    });
    change_.skip_zeros(offset - change_end_);
    change_.update({page.data(), length});
    change_end_ = offset + length;
}

void BlockEncoder::update_digest(std::uint64_t block_offset, std::size_t block_length) {
    const std::byte* packed = packed_.data();
    for (std::size_t page = 0; page < pages_; ++page) {
        const std::uint64_t mask = line_masks_[page];
        if (mask == 0) continue;
        const std::size_t at = page * kPageBytes;
        digest_page(block_offset + at, std::min(kPageBytes, block_length - at), mask, packed);
        packed += static_cast<std::size_t>(std::popcount(mask)) * kLineBytes;
    }
}

BlockEncoder::Estimate BlockEncoder::estimate(std::size_t changed) {
    kernels::active().nonzero_masks(as_u8(packed_.data()), changed, byte_masks_.data());
    std::size_t pages = 0;
    for (std::size_t page = 0; page < pages_; ++page) pages += line_masks_[page] != 0;
    std::size_t run_bytes = 0;
    std::size_t runs = 0;
    for (std::size_t line = 0; line < changed; ++line) {
        const std::uint64_t mask = byte_masks_[line];
        changed_bytes_ += static_cast<std::uint64_t>(std::popcount(mask));
        const std::uint64_t closed = close_gaps(mask);
        run_bytes += static_cast<std::size_t>(std::popcount(closed));
        runs += static_cast<std::size_t>(std::popcount(closed & ~(closed << 1)));
    }
    // A run takes two varints, most often of one byte; those of distant runs are longer.
    return {changed * kLineBytes + pages * 9, run_bytes + runs * 2 + runs / 2};
}

void BlockEncoder::build_fresh(std::span<const std::byte> previous, bool updated,
                               std::size_t changed) {
    if (fresh_.empty()) fresh_.resize(packed_.size());
    if (updated) {
        for_each_line_run([&](std::size_t first, std::size_t count, std::size_t packed) {
            const std::size_t at = first * kLineBytes;
            std::memcpy(fresh_.data() + packed * kLineBytes, previous.data() + at,
                        std::min(count * kLineBytes, previous.size() - at));
        });
        return;
    }
    // From the XOR and not from the current state, which another thread may have changed since.
    std::memcpy(fresh_.data(), packed_.data(), changed * kLineBytes);
    for_each_line_run([&](std::size_t first, std::size_t count, std::size_t packed) {
        const std::size_t at = first * kLineBytes;
        std::uint8_t* const line = as_u8(fresh_.data() + packed * kLineBytes);
        kernels::active().xor_bytes(line, line, as_u8(previous.data() + at),
                                    std::min(count * kLineBytes, previous.size() - at));
    });
}

// Whether the block now holds one byte over and over.
bool BlockEncoder::is_fill(std::span<const std::byte> previous, bool updated, std::size_t changed) {
    // Most blocks fail on their first changed line, which is in the caches, before anything is
    // built or read from memory.
    const auto page = static_cast<std::size_t>(
        std::find_if(line_masks_.begin(), line_masks_.end(), [](auto mask) { return mask != 0; }) -
        line_masks_.begin());
    const std::size_t first =
        (page * kPageLines + static_cast<std::size_t>(std::countr_zero(line_masks_[page]))) *
        kLineBytes;
    const auto then = previous.subspan(first, std::min(kLineBytes, previous.size() - first));
    if (updated) return all_equal(then, then[0]) && all_equal(previous, then[0]);

    std::array<std::byte, kLineBytes> line{};
    kernels::active().xor_bytes(as_u8(line.data()), as_u8(packed_.data()), as_u8(then.data()),
                                then.size());
    const std::byte value = line[0];
    if (!all_equal({line.data(), then.size()}, value)) return false;

    build_fresh(previous, updated, changed);
    if (!all_equal({fresh_.data(), values_bytes(previous.size(), changed)}, value)) return false;
    std::size_t end = 0;
    bool equal = true;
    for_each_line_run([&](std::size_t run, std::size_t count, std::size_t) {
        equal = equal && all_equal(previous.subspan(end, run * kLineBytes - end), value);
        end = std::min((run + count) * kLineBytes, previous.size());
    });
    return equal && all_equal(previous.subspan(end), value);
}

// The padding of a shorter last line is not sent.
std::size_t BlockEncoder::values_bytes(std::size_t block_length, std::size_t changed) const {
    const std::size_t padding = tail_changed_ ? kLineBytes - block_length % kLineBytes : 0;
    return changed * kLineBytes - padding;
}

void BlockEncoder::build_lines_index() {
    index_.resize(pages_ * (kVarintBytesMax + sizeof(std::uint64_t)));
    std::byte* index = index_.data();
    std::size_t gap = 0;
    for (std::size_t page = 0; page < pages_; ++page) {
        const std::uint64_t mask = line_masks_[page];
        if (mask == 0) {
            ++gap;
            continue;
        }
        index = put_varint_at(index, gap);
        gap = 0;
        std::memcpy(index, &mask, sizeof mask);
        index += sizeof mask;
    }
    index_.resize(static_cast<std::size_t>(index - index_.data()));
}

// Builds the index and the values of a runs record from the first `lines` changed lines.
void BlockEncoder::build_runs(std::size_t lines) {
    // Whole lines are copied and only the run is kept: room for one line behind the values.
    runs_.resize(lines * kLineBytes + kSlackBytes);
    // At most 16 runs start in a line, as at least kRunGapMin zeros separate them, and a varint of
    // a position in a block takes at most four bytes.
    index_.resize(lines * (kLineBytes / kRunGapMin) * 8);
    std::byte* index = index_.data();
    std::byte* values = runs_.data();
    std::size_t run_start = 0;  // of the run that is being built, in the block
    std::size_t run_end = 0;
    std::size_t emitted_end = 0;
    std::size_t packed_line = 0;
    const auto flush = [&] {
        if (run_end == run_start) return;
        index = put_varint_at(index, run_start - emitted_end);
        index = put_varint_at(index, run_end - run_start);
        emitted_end = run_end;
    };
    for (std::size_t page = 0; page < pages_ && packed_line < lines; ++page) {
        for (std::uint64_t rest = line_masks_[page]; rest != 0 && packed_line < lines;
             rest &= rest - 1) {
            const std::size_t line =
                page * kPageLines + static_cast<std::size_t>(std::countr_zero(rest));
            const std::byte* const bytes = packed_.data() + packed_line * kLineBytes;
            for_each_run(close_gaps(byte_masks_[packed_line]), [&](unsigned first, unsigned count) {
                const std::size_t at = line * kLineBytes + first;
                const std::size_t gap = at - run_end;
                if (run_end != run_start && gap < kRunGapMin) {
                    // Across the line boundary: the zeros in between become part of the run.
                    std::memset(values, 0, gap);
                    values += gap;
                } else {
                    flush();
                    run_start = at;
                }
                copy_run(values, bytes + first, count);
                values += count;
                run_end = at + count;
            });
            ++packed_line;
        }
    }
    flush();
    index_.resize(static_cast<std::size_t>(index - index_.data()));
    runs_.resize(static_cast<std::size_t>(values - runs_.data()));
}

// Compresses a sample of the changed lines in each form.
Mode BlockEncoder::choose_compressed(std::size_t changed, std::size_t values_bytes) {
    const std::size_t lines = std::min(changed, kSampleLines);
    const std::size_t bytes = std::min(lines * kLineBytes, values_bytes);
    const auto compressed_size = [&](std::span<const std::byte> input) {
        const std::size_t size = compressor_.compress(input, input.size()).size();
        return size == 0 ? input.size() : size;
    };
    build_lines_index();
    const std::size_t index = index_.size() * lines / changed;
    const std::size_t lines_xor = index + compressed_size({packed_.data(), bytes});
    const std::size_t lines_new = index + compressed_size({fresh_.data(), bytes});
    build_runs(lines);
    const std::size_t runs = compressed_size(index_) + compressed_size(runs_);
    if (runs <= lines_xor && runs <= lines_new) return Mode::kRuns;
    return lines_new <= lines_xor ? Mode::kLinesNew : Mode::kLinesXor;
}

void BlockEncoder::append(std::span<const std::byte> previous, bool updated, std::size_t changed,
                          Bytes& out) {
    if (changed == 0) {
        skip(previous.size());
        return;
    }
    const std::uint64_t block_offset = offset_;
    offset_ += previous.size();
    changed_lines_ += changed;
    update_digest(block_offset, previous.size());
    const Estimate sizes = estimate(changed);

    RecordParts parts;
    parts.skipped_blocks = skipped_;
    skipped_ = 0;
    if (mode_ == Mode::kAuto && is_fill(previous, updated, changed)) {
        parts.mode = RecordMode::kFill;
        parts.values = updated ? std::span<const std::byte>(previous.first(1))
                               : std::span<const std::byte>(fresh_.data(), 1);
        append_record(out, parts, compressor_);
        return;
    }

    const std::size_t values = values_bytes(previous.size(), changed);
    Mode mode = mode_;
    bool fresh_built = false;
    if (mode == Mode::kAuto) {
        if (compressor_.codec() != Codec::kNone) {
            build_fresh(previous, updated, changed);
            fresh_built = true;
            mode = choose_compressed(changed, values);
        } else {
            mode = sizes.runs_bytes < sizes.lines_bytes ? Mode::kRuns : Mode::kLinesNew;
        }
        if (values == previous.size() && mode == Mode::kLinesNew) mode = Mode::kRaw;
    }
    switch (mode) {
        case Mode::kRuns:
            build_runs(changed);
            parts.mode = RecordMode::kRuns;
            parts.operation = Operation::kXor;
            parts.index = index_;
            parts.values = runs_;
            break;
        case Mode::kLinesXor:
            build_lines_index();
            parts.mode = RecordMode::kLines;
            parts.operation = Operation::kXor;
            parts.index = index_;
            parts.values = {packed_.data(), values};
            break;
        case Mode::kRaw:
            parts.mode = RecordMode::kRaw;
            parts.values = previous;
            if (updated) break;
            if (!fresh_built) build_fresh(previous, updated, changed);
            // Unchanged lines come from `previous`, changed ones from fresh_.
            runs_.assign(previous.begin(), previous.end());
            for_each_line_run([&](std::size_t first, std::size_t count, std::size_t packed) {
                const std::size_t at = first * kLineBytes;
                std::memcpy(runs_.data() + at, fresh_.data() + packed * kLineBytes,
                            std::min(count * kLineBytes, previous.size() - at));
            });
            parts.values = runs_;
            break;
        case Mode::kAuto:
        case Mode::kLinesNew:
            if (!fresh_built) build_fresh(previous, updated, changed);
            build_lines_index();
            parts.mode = RecordMode::kLines;
            parts.index = index_;
            parts.values = {fresh_.data(), values};
            break;
    }
    append_record(out, parts, compressor_);
}

}  // namespace dwcp::delta
