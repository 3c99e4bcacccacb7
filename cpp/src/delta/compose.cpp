#include <algorithm>
#include <bit>
#include <string>
#include <unordered_map>

#include "delta/codec.hpp"
#include "delta/decode.hpp"
#include "delta/runs.hpp"
#include "dwcp/delta/delta.hpp"
#include "dwcp/error.hpp"

namespace dwcp::delta {

namespace {

constexpr std::uint64_t kPageLines = kPageBytes / kLineBytes;

std::uint64_t segment_length(const Record& record, std::span<const std::byte> values) {
    return record.mode == RecordMode::kFill ? record.block_length : values.size();
}

// Which lines of a state were written, as one mask for each page that has any.
class LineSet {
  public:
    void add(std::uint64_t offset, std::uint64_t length) {
        if (length == 0) return;
        const std::uint64_t last = (offset + length - 1) / kLineBytes;
        for (std::uint64_t line = offset / kLineBytes; line <= last;) {
            const std::uint64_t page = line / kPageLines;
            const std::uint64_t first = line % kPageLines;
            const std::uint64_t count = std::min(kPageLines - first, last - line + 1);
            masks_[page] |= (count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1)
                            << first;
            line += count;
        }
    }

    // Page numbers and masks, ascending.
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> sorted() const {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> pages(masks_.begin(), masks_.end());
        std::sort(pages.begin(), pages.end());
        return pages;
    }

  private:
    std::unordered_map<std::uint64_t, std::uint64_t> masks_;
};

}  // namespace

std::vector<Region> regions(std::span<const std::byte> delta, std::uint64_t merge_gap) {
    std::vector<Region> result;
    const DecodedDelta decoded(delta);
    decoded.for_each(
        [&](const Record& record, std::uint64_t offset, std::span<const std::byte> values) {
            const std::uint64_t length = segment_length(record, values);
            if (length == 0) return;
            if (!result.empty()) {
                Region& last = result.back();
                if (offset - (last.offset + last.length) <= merge_gap) {
                    last.length = offset + length - last.offset;
                    return;
                }
            }
            result.push_back({offset, length});
        });
    return result;
}

Bytes compose(std::span<const std::span<const std::byte>> deltas, std::span<const std::byte> state,
              const Options& options) {
    if (deltas.empty()) throw std::invalid_argument("deltas must hold at least one delta");
    LineSet lines;
    Header header;
    for (std::size_t i = 0; i < deltas.size(); ++i) {
        const DecodedDelta decoded(deltas[i]);
        const Header& own = decoded.header();
        if (own.state_length != state.size()) {
            throw WrongBase("delta " + std::to_string(i) + " is for a state of " +
                            std::to_string(own.state_length) + " bytes, not " +
                            std::to_string(state.size()));
        }
        if (i == 0) {
            header = own;
        } else if (own.base_digest != header.result_digest) {
            throw WrongBase("delta " + std::to_string(i) + " does not continue the one before it");
        }
        header.result_digest = own.result_digest;
        decoded.for_each(
            [&](const Record& record, std::uint64_t offset, std::span<const std::byte> values) {
                lines.add(offset, segment_length(record, values));
            });
    }

    Compressor compressor(options.codec, options.level);
    Bytes out(kHeaderBytes);
    Bytes index;
    Bytes values;
    const std::uint64_t block_bytes = header.block_bytes;
    const auto pages = lines.sorted();
    std::uint64_t next_block = 0;
    for (std::size_t i = 0; i < pages.size();) {
        const std::uint64_t block = pages[i].first * kPageBytes / block_bytes;
        std::uint64_t next_page = block * (block_bytes / kPageBytes);
        index.clear();
        values.clear();
        for (; i < pages.size() && pages[i].first * kPageBytes / block_bytes == block; ++i) {
            const auto [page, mask] = pages[i];
            std::array<std::byte, kVarintBytesMax> gap;
            index.insert(index.end(), gap.data(), put_varint_at(gap.data(), page - next_page));
            const auto* mask_bytes = reinterpret_cast<const std::byte*>(&mask);
            index.insert(index.end(), mask_bytes, mask_bytes + sizeof mask);
            next_page = page + 1;
            for_each_run(mask, [&, first_byte = page * kPageBytes](unsigned first, unsigned count) {
                const std::uint64_t from = first_byte + first * kLineBytes;
                const std::uint64_t to =
                    std::min<std::uint64_t>(from + count * kLineBytes, state.size());
                values.insert(values.end(), state.begin() + static_cast<std::ptrdiff_t>(from),
                              state.begin() + static_cast<std::ptrdiff_t>(to));
            });
        }
        RecordParts parts;
        parts.skipped_blocks = block - next_block;
        parts.mode = RecordMode::kLines;
        parts.index = index;
        parts.values = values;
        append_record(out, parts, compressor);
        next_block = block + 1;
    }
    header.body_length = out.size() - kHeaderBytes;
    write_header(header, std::span(out).first<kHeaderBytes>());
    return out;
}

}  // namespace dwcp::delta
