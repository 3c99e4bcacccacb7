// XOR, the fused scan and the gear hash of all instruction sets against loops over bytes and
// against the portable kernels.
#include <algorithm>
#include <vector>

#include "input.hpp"
#include "kernels/gear.hpp"

using namespace dwcp;
using namespace dwcp::fuzzing;

namespace {

using Bytes = std::vector<std::uint8_t>;

void check_xor(Input input) {
    const std::size_t offset = input.below(64);
    const std::span<const std::uint8_t> all = input.rest();
    const Copy a(all.first(all.size() / 2), offset);
    const Copy b(all.subspan(all.size() / 2, all.size() / 2), offset / 3);
    Bytes expected(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        expected[i] = static_cast<std::uint8_t>(a.data()[i] ^ b.data()[i]);
    }
    for_each_tier([&](const kernels::Table& table, const char* tier) {
        for (const auto kernel : {table.xor_bytes, table.xor_bytes_streaming}) {
            const Copy out(expected, 63 - offset);
            std::fill_n(out.data(), out.size(), std::uint8_t{0xEE});
            kernel(out.data(), a.data(), b.data(), a.size());
            require_equal("xor", tier,
                          std::equal(out.data(), out.data() + a.size(), expected.data()), true);
        }
        const Copy in_place({a.data(), a.size()}, offset);
        table.xor_bytes(in_place.data(), in_place.data(), b.data(), a.size());
        require_equal("xor in place", tier,
                      std::equal(in_place.data(), in_place.data() + a.size(), expected.data()),
                      true);
    });
}

void check_scan(Input input) {
    const std::size_t offset = input.below(64);
    const std::span<const std::uint8_t> all = input.rest();
    const std::size_t lines = all.size() / 2 / kernels::kLineBytes;
    if (lines == 0) return;
    const std::size_t bytes = lines * kernels::kLineBytes;
    const Copy current(all.first(bytes), offset);
    const Bytes before(all.begin() + static_cast<std::ptrdiff_t>(bytes),
                       all.begin() + static_cast<std::ptrdiff_t>(2 * bytes));
    const auto run = [&](const kernels::Table& table) {
        const Copy previous(before, offset / 2);
        std::vector<std::uint64_t> masks((lines + 63) / 64);
        Bytes packed(bytes);
        const std::size_t changed =
            table.scan_update(current.data(), previous.data(), lines, masks.data(), packed.data());
        packed.resize(changed * kernels::kLineBytes);
        require_equal("scan_update", table.compiled_for,
                      std::equal(previous.data(), previous.data() + bytes, current.data()), true);
        std::vector<std::uint64_t> nonzero(changed);
        table.nonzero_masks(packed.data(), changed, nonzero.data());
        masks.insert(masks.end(), nonzero.begin(), nonzero.end());
        return std::pair(masks, packed);
    };
    const auto expected = run(*kernels::tier(kernels::kTier_scalar).table);
    for_each_tier([&](const kernels::Table& table, const char* tier) {
        require_equal("scan", tier, run(table), expected);
    });
}

void check_gear(Input input) {
    const auto threshold = static_cast<std::uint32_t>(input.number());
    const Copy data(input.rest(), 1);
    if (data.size() <= kernels::kGearWindow) return;
    const auto run = [&](const kernels::Table& table) {
        std::vector<std::uint32_t> offsets(data.size() - kernels::kGearWindow);
        std::vector<std::uint32_t> hashes(offsets.size());
        const std::size_t count = table.gear_hits(data.data(), kernels::kGearWindow, data.size(),
                                                  threshold, offsets.data(), hashes.data());
        offsets.resize(count);
        hashes.resize(count);
        return std::pair(offsets, hashes);
    };
    const auto expected = run(*kernels::tier(kernels::kTier_scalar).table);
    for_each_tier([&](const kernels::Table& table, const char* tier) {
        require_equal("gear_hits", tier, run(table), expected);
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Input input(data, size);
    check_xor(input);
    check_scan(input);
    check_gear(input);
    return 0;
}
