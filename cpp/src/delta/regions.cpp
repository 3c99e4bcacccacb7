#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

#include "bytes.hpp"
#include "delta/runs.hpp"
#include "dwcp/delta/xor.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::delta {

namespace {

// Collects ascending ranges and joins those with less than merge_gap bytes between them.
class RegionList {
  public:
    explicit RegionList(std::uint64_t merge_gap) : merge_gap_(merge_gap) {}

    void add(std::uint64_t offset, std::uint64_t length) {
        if (!regions_.empty()) {
            Region& last = regions_.back();
            const std::uint64_t gap = offset - (last.offset + last.length);
            if (gap == 0 || gap < merge_gap_) {
                last.length = offset + length - last.offset;
                return;
            }
        }
        regions_.push_back({offset, length});
    }

    std::vector<Region> take() { return std::move(regions_); }

  private:
    std::uint64_t merge_gap_;
    std::vector<Region> regions_;
};

constexpr std::size_t kBatchPages = 16;
constexpr std::size_t kBatchLines = kBatchPages * kernels::kPageLines;

}  // namespace

std::uint64_t update(std::span<std::byte> previous, std::span<const std::byte> current) {
    if (current.size() != previous.size()) {
        throw std::invalid_argument("update: previous and current must have equal lengths, not " +
                                    std::to_string(previous.size()) + " and " +
                                    std::to_string(current.size()) + " bytes");
    }
    std::array<std::uint64_t, kBatchPages> line_masks;
    std::vector<std::uint8_t> packed(kBatchLines * kernels::kLineBytes);
    std::uint8_t* const then = as_u8(previous.data());
    const std::uint8_t* const now = as_u8(current.data());
    const std::size_t whole = current.size() / kernels::kLineBytes;
    std::uint64_t changed = 0;
    for (std::size_t line = 0; line < whole; line += kBatchLines) {
        const std::size_t at = line * kernels::kLineBytes;
        changed +=
            kernels::active().scan_update(now + at, then + at, std::min(kBatchLines, whole - line),
                                          line_masks.data(), packed.data());
    }
    const std::size_t tail = current.size() - whole * kernels::kLineBytes;
    const std::size_t at = whole * kernels::kLineBytes;
    if (tail != 0 && std::memcmp(then + at, now + at, tail) != 0) {
        std::memcpy(then + at, now + at, tail);
        ++changed;
    }
    return changed;
}

std::vector<Region> changed_regions(std::span<const std::byte> current,
                                    std::span<const std::byte> previous, std::uint64_t merge_gap) {
    if (current.size() != previous.size()) {
        throw std::invalid_argument(
            "changed_regions: current and previous must have equal lengths, not " +
            std::to_string(current.size()) + " and " + std::to_string(previous.size()) + " bytes");
    }
    RegionList list(merge_gap);
    std::array<std::uint64_t, kBatchPages> line_masks;
    std::vector<std::uint8_t> packed(kBatchLines * kernels::kLineBytes);
    std::array<std::uint64_t, kBatchLines> byte_masks;

    // `lines` whole lines from `a` and `b`, which stand at `base` in the state.
    const auto scan_batch = [&](const std::uint8_t* a, const std::uint8_t* b, std::size_t lines,
                                std::uint64_t base) {
        const kernels::Table& kernels = kernels::active();
        const std::size_t changed = kernels.scan(a, b, lines, line_masks.data(), packed.data());
        if (changed == 0) return;
        kernels.nonzero_masks(packed.data(), changed, byte_masks.data());
        std::size_t next = 0;
        for (std::size_t first = 0; first < lines; first += kernels::kPageLines) {
            std::uint64_t rest = line_masks[first / kernels::kPageLines];
            for (; rest != 0; rest &= rest - 1) {
                const std::uint64_t line =
                    first + static_cast<std::uint64_t>(std::countr_zero(rest));
                for_each_run(byte_masks[next++], [&](unsigned at, unsigned count) {
                    list.add(base + line * kernels::kLineBytes + at, count);
                });
            }
        }
    };

    const std::uint8_t* const a = as_u8(current.data());
    const std::uint8_t* const b = as_u8(previous.data());
    const std::size_t whole = current.size() / kernels::kLineBytes;
    for (std::size_t line = 0; line < whole; line += kBatchLines) {
        const std::size_t at = line * kernels::kLineBytes;
        scan_batch(a + at, b + at, std::min(kBatchLines, whole - line), at);
    }
    const std::size_t tail = current.size() - whole * kernels::kLineBytes;
    if (tail != 0) {
        std::array<std::uint8_t, kernels::kLineBytes> now{};
        std::array<std::uint8_t, kernels::kLineBytes> then{};
        std::memcpy(now.data(), a + current.size() - tail, tail);
        std::memcpy(then.data(), b + current.size() - tail, tail);
        scan_batch(now.data(), then.data(), 1, current.size() - tail);
    }
    return list.take();
}

}  // namespace dwcp::delta
