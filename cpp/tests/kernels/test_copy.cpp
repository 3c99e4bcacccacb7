#include <numeric>
#include <span>

#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

constexpr std::uint8_t kCanary = 0xEE;

// `size` bytes that begin `offset` bytes behind a line.
class Placed {
  public:
    Placed(std::size_t size, std::size_t offset)
        : area_(size + 4 * kernels::kLineBytes, kCanary), size_(size) {
        const auto begin = reinterpret_cast<std::uintptr_t>(area_.data());
        place_ = area_.data() + kernels::kLineBytes + (0 - begin) % kernels::kLineBytes + offset;
    }
    [[nodiscard]] std::uint8_t* data() const { return place_; }
    // Whether it holds what is expected, and nothing before and behind it was written.
    [[nodiscard]] bool holds(const std::vector<std::uint8_t>& expected) const {
        const auto lead = static_cast<std::size_t>(place_ - area_.data());
        for (std::size_t i = 0; i < area_.size(); ++i) {
            const bool inside = i >= lead && i < lead + size_;
            if (area_[i] != (inside ? expected[i - lead] : kCanary)) return false;
        }
        return expected.size() == size_;
    }

  private:
    std::vector<std::uint8_t> area_;
    std::size_t size_;
    std::uint8_t* place_;
};

std::vector<std::uint8_t> part(const std::vector<std::uint8_t>& bytes, std::size_t offset,
                               std::size_t size) {
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
    return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}

// All short ones, and those around whole pages and groups of four.
std::vector<std::size_t> lengths() {
    std::vector<std::size_t> found(301);
    std::iota(found.begin(), found.end(), std::size_t{0});
    for (const std::size_t around : {4096u, 8192u, 16384u, 32768u, 65536u}) {
        for (const std::size_t size : {around - 65, around - 1, around, around + 1, around + 64}) {
            found.push_back(size);
        }
    }
    return found;
}

}  // namespace

TEST_CASE("copies past the caches agree with the source at every length and alignment") {
    const auto source = random_bytes(70'000, 1);
    for_each_tier([&](const kernels::Table& kernels) {
        for (const auto kernel : {kernels.copy_streaming, kernels.copy_demoting}) {
            for (const std::size_t size : lengths()) {
                for (const std::size_t offset : {0u, 1u, 17u, 32u, 63u}) {
                    for (const std::size_t from : {0u, 5u, 63u}) {
                        const Placed out(size, offset);
                        kernel(out.data(), source.data() + from, size);
                        REQUIRE(out.holds(part(source, from, size)));
                    }
                }
            }
        }
    });
}

TEST_CASE("fills repeat the line at every length and alignment") {
    const auto line = random_bytes(64, 2);
    for_each_tier([&](const kernels::Table& kernels) {
        for (const std::size_t size : lengths()) {
            std::vector<std::uint8_t> expected(size);
            for (std::size_t i = 0; i < size; ++i) expected[i] = line[i % 64];
            for (const auto kernel : {kernels.fill_lines, kernels.fill_streaming}) {
                for (const std::size_t offset : {0u, 1u, 17u, 32u, 63u}) {
                    const Placed out(size, offset);
                    kernel(out.data(), line.data(), size);
                    REQUIRE(out.holds(expected));
                }
            }
        }
    });
}

TEST_CASE("rows go past the caches in the order of their numbers, whatever their length") {
    constexpr std::size_t kRows = 40;
    Random random(3);
    for_each_tier([&](const kernels::Table& kernels) {
        for (const std::size_t row_bytes : {64u, 65u, 100u, 127u, 128u, 192u, 256u, 257u, 1000u,
                                            1023u, 1024u, 1025u, 4096u, 5000u, 40'000u}) {
            const auto table = random_bytes(kRows * row_bytes, row_bytes);
            for (const std::size_t count : {0u, 1u, 2u, 3u, 25u, 130u}) {
                if (row_bytes * count > 1'000'000) continue;
                std::vector<std::int64_t> rows(count);
                for (auto& row : rows) row = static_cast<std::int64_t>(random.below(kRows));
                const std::vector<std::int32_t> narrow(rows.begin(), rows.end());
                std::vector<std::uint8_t> expected;
                for (const std::int64_t row : rows) {
                    const auto copied =
                        part(table, static_cast<std::size_t>(row) * row_bytes, row_bytes);
                    expected.insert(expected.end(), copied.begin(), copied.end());
                }
                for (const std::size_t offset : {0u, 1u, 16u, 63u}) {
                    const Placed out(expected.size(), offset);
                    kernels.gather_streaming(out.data(), table.data(), row_bytes, rows.data(),
                                             expected.size());
                    REQUIRE(out.holds(expected));
                    const Placed other(expected.size(), offset);
                    kernels.gather_streaming_narrow(other.data(), table.data(), row_bytes,
                                                    narrow.data(), expected.size());
                    REQUIRE(other.holds(expected));
                }
            }
        }
    });
}

TEST_CASE("what goes past the caches stays inside its buffers") {
    const GuardedPage source(8);
    const GuardedPage out(8);
    const auto line = random_bytes(64, 4);
    const std::vector<std::int64_t> rows{0, 0};
    for_each_tier([&](const kernels::Table& kernels) {
        std::vector<std::size_t> sizes = lengths();
        std::erase_if(sizes, [&](std::size_t size) { return size > out.size(); });
        for (const std::size_t size : sizes) {
            for (const auto kernel : {kernels.copy_streaming, kernels.copy_demoting}) {
                kernel(out.last(size), source.last(size), size);
                kernel(out.first(), source.first(), size);
            }
            for (const auto kernel : {kernels.fill_lines, kernels.fill_streaming}) {
                kernel(out.last(size), line.data(), size);
                kernel(out.first(), line.data(), size);
            }
            if (size < 64 || size > 12'000) continue;
            kernels.gather_streaming(out.last(2 * size), source.last(size), size, rows.data(),
                                     2 * size);
            kernels.gather_streaming(out.first(), source.last(size), size, rows.data(), 2 * size);
        }
    });
}
