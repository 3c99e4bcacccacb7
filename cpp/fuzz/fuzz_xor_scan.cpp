// XOR, comparison and changed regions on all instruction sets, against loops over bytes.
#include <algorithm>

#include "dwcp/delta/xor.hpp"
#include "dwcp/isa/isa.hpp"
#include "fuzz.hpp"

using namespace dwcp;
using namespace dwcp::fuzzing;

namespace {

using Bytes = std::span<const std::uint8_t>;
using Vector = std::vector<std::uint8_t>;
constexpr std::size_t kLine = kernels::kLineBytes;

DWCP_NO_COVERAGE Vector xor_by_bytes(Bytes a, Bytes b) {
    Vector out(a.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = a[i] ^ b[i];
    return out;
}

bool equal(Bytes a, Bytes b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

void check_xor(const kernels::TierInfo& tier, Bytes a, Bytes b, std::size_t offset) {
    const Vector expected = xor_by_bytes(a, b);
    Shifted left(a, offset % 64);
    Shifted right(b, offset / 64 % 64);
    Shifted out(a, offset / 4096);
    tier.table->xor_bytes(out.data(), left.data(), right.data(), a.size());
    if (planted(a, tier)) out.data()[0] ^= 1;
    expect(equal(out.span(), expected), "xor_bytes differs", tier.name);
    std::fill_n(out.data(), out.size(), std::uint8_t{0xEE});
    tier.table->xor_bytes_streaming(out.data(), left.data(), right.data(), a.size());
    expect(equal(out.span(), expected), "xor_bytes_streaming differs", tier.name);
    expect(equal(left.span(), a) && equal(right.span(), b), "xor changed an input", tier.name);
    Shifted in_place(a, offset % 64);
    tier.table->xor_bytes(in_place.data(), in_place.data(), right.data(), a.size());
    expect(equal(in_place.span(), expected), "xor_bytes into a differs", tier.name);
    tier.table->xor_bytes(right.data(), left.data(), right.data(), a.size());
    expect(equal(right.span(), expected), "xor_bytes into b differs", tier.name);
}

struct Scanned {
    std::vector<std::uint64_t> masks;
    Vector packed;
    std::vector<std::uint64_t> nonzero;
};

DWCP_NO_COVERAGE Scanned scan_by_lines(Bytes current, Bytes previous) {
    const std::size_t lines = current.size() / kLine;
    Scanned result;
    result.masks.resize((lines + kernels::kPageLines - 1) / kernels::kPageLines);
    for (std::size_t line = 0; line < lines; ++line) {
        const Vector difference = xor_by_bytes(current.subspan(line * kLine, kLine),
                                               previous.subspan(line * kLine, kLine));
        std::uint64_t nonzero = 0;
        for (std::size_t i = 0; i < kLine; ++i) {
            if (difference[i] != 0) nonzero |= std::uint64_t{1} << i;
        }
        if (nonzero == 0) continue;
        result.masks[line / kernels::kPageLines] |= std::uint64_t{1}
                                                    << (line % kernels::kPageLines);
        result.packed.insert(result.packed.end(), difference.begin(), difference.end());
        result.nonzero.push_back(nonzero);
    }
    return result;
}

void check_scan(const kernels::TierInfo& tier, Bytes a, Bytes b, std::size_t offset) {
    const std::size_t lines = a.size() / kLine;
    const Bytes current = a.first(lines * kLine);
    const Bytes previous = b.first(lines * kLine);
    const Scanned expected = scan_by_lines(current, previous);
    Shifted now(current, offset % 64);
    Shifted then(previous, offset / 64 % 64);
    const auto check = [&](auto scan, const char* what) {
        std::vector<std::uint64_t> masks(expected.masks.size());
        Vector packed(lines * kLine);
        const std::size_t changed =
            scan(now.data(), then.data(), lines, masks.data(), packed.data());
        expect(changed == expected.nonzero.size(), what, tier.name);
        packed.resize(changed * kLine);
        expect(masks == expected.masks && packed == expected.packed, what, tier.name);
    };
    check(tier.table->scan, "scan differs");
    expect(equal(then.span(), previous), "scan changed an input", tier.name);
    check(tier.table->scan_update, "scan_update differs");
    expect(equal(then.span(), current), "scan_update left a difference", tier.name);
    std::vector<std::uint64_t> nonzero(expected.nonzero.size());
    tier.table->nonzero_masks(expected.packed.data(), nonzero.size(), nonzero.data());
    expect(nonzero == expected.nonzero, "nonzero_masks differs", tier.name);
}

DWCP_NO_COVERAGE std::vector<delta::Region> regions_by_bytes(Bytes a, Bytes b,
                                                             std::uint64_t merge_gap) {
    std::vector<delta::Region> regions;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] == b[i]) continue;
        const std::uint64_t end =
            regions.empty() ? 0 : regions.back().offset + regions.back().length;
        if (regions.empty() || (i != end && i - end >= merge_gap)) {
            regions.push_back({i, 1});
        } else {
            regions.back().length = i + 1 - regions.back().offset;
        }
    }
    return regions;
}

void check_regions(const kernels::TierInfo& tier, Bytes a, Bytes b, std::uint64_t merge_gap) {
    isa::force(tier.name);
    expect(delta::changed_regions(std::as_bytes(a), std::as_bytes(b), merge_gap) ==
               regions_by_bytes(a, b, merge_gap),
           "changed_regions differs", tier.name);
    Shifted copy(b, 0);
    const std::uint64_t lines =
        delta::update(std::as_writable_bytes(copy.span()), std::as_bytes(a));
    expect(equal(copy.span(), a), "update left a difference", tier.name);
    expect(lines <= (a.size() + kLine - 1) / kLine && (lines == 0) == equal(a, b),
           "update counted wrongly", tier.name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size) {
    Input input(input_data, input_size);
    const std::size_t offset = input.below(64 * 64 * 64);
    const std::uint64_t merge_gap = input.take<std::uint8_t>() % 80;
    const std::size_t longer = input.take<std::uint16_t>();
    // The second buffer is the first with bytes changed at places that the input names.
    const std::size_t changes = input.take<std::uint8_t>() % 32;
    std::vector<std::uint32_t> places(changes);
    for (std::uint32_t& place : places) place = input.take<std::uint32_t>();
    const Bytes bytes = input.take_rest();
    const Vector a = stretched(bytes, longer % 8 == 0 ? longer / 4 : bytes.size());
    Vector b = a;
    for (const std::uint32_t place : places) {
        if (!b.empty()) b[place % b.size()] ^= static_cast<std::uint8_t>(place >> 24);
    }
    for_each_tier([&](const kernels::TierInfo& tier) {
        check_xor(tier, a, b, offset);
        check_scan(tier, a, b, offset);
        check_regions(tier, a, b, merge_gap);
    });
    return 0;
}
