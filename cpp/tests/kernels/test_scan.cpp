#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

constexpr std::size_t kLine = kernels::kLineBytes;

struct Case {
    std::vector<std::uint8_t> current;
    std::vector<std::uint8_t> previous;
};

// About one line in `sparsity` differs, in a few bytes.
Case make_case(std::size_t lines, std::size_t sparsity, std::uint64_t seed) {
    Case states{random_bytes(lines * kLine, seed), {}};
    states.previous = states.current;
    Random random(seed + 1);
    for (std::size_t line = 0; line < lines; ++line) {
        if (random.below(sparsity) != 0) continue;
        for (std::size_t i = 0; i <= random.below(4); ++i) {
            states.current[line * kLine + random.below(kLine)] ^=
                static_cast<std::uint8_t>(1 + random.below(255));
        }
    }
    return states;
}

void check(const kernels::Table& kernels, std::size_t lines, std::size_t sparsity,
           std::size_t offset) {
    const Case states = make_case(lines, sparsity, lines * 31 + sparsity);
    std::vector<std::uint8_t> packed_expected;
    std::vector<std::uint64_t> masks_expected((lines + 63) / 64);
    for (std::size_t line = 0; line < lines; ++line) {
        const std::uint8_t* const now = states.current.data() + line * kLine;
        const std::uint8_t* const then = states.previous.data() + line * kLine;
        if (std::memcmp(now, then, kLine) == 0) continue;
        masks_expected[line / 64] |= std::uint64_t{1} << (line % 64);
        for (std::size_t i = 0; i < kLine; ++i) {
            packed_expected.push_back(static_cast<std::uint8_t>(now[i] ^ then[i]));
        }
    }
    const std::size_t changed = packed_expected.size() / kLine;

    std::vector<std::uint8_t> shifted(offset + states.current.size());
    std::copy(states.current.begin(), states.current.end(),
              shifted.begin() + static_cast<std::ptrdiff_t>(offset));
    std::vector<std::uint64_t> masks(masks_expected.size() + 1, 0xDEAD);
    std::vector<std::uint8_t> packed(lines * kLine + 1, 0xEE);
    auto previous = states.previous;

    REQUIRE(kernels.scan(shifted.data() + offset, previous.data(), lines, masks.data(),
                         packed.data()) == changed);
    REQUIRE(previous == states.previous);
    REQUIRE(kernels.scan_update(shifted.data() + offset, previous.data(), lines, masks.data(),
                                packed.data()) == changed);
    REQUIRE(previous == states.current);
    REQUIRE(masks.back() == 0xDEAD);
    masks.pop_back();
    REQUIRE(masks == masks_expected);
    REQUIRE(packed.back() == 0xEE);
    REQUIRE(std::equal(packed_expected.begin(), packed_expected.end(), packed.begin()));

    std::vector<std::uint64_t> bytes(changed);
    kernels.nonzero_masks(packed.data(), changed, bytes.data());
    for (std::size_t i = 0; i < changed * kLine; ++i) {
        REQUIRE(((bytes[i / kLine] >> (i % kLine)) & 1) == (packed[i] != 0));
    }
}

}  // namespace

TEST_CASE("scan agrees with a line-by-line comparison") {
    for_each_tier([&](const kernels::Table& kernels) {
        for (std::size_t lines = 0; lines <= 300; ++lines) check(kernels, lines, 5, lines % 64);
        for (std::size_t sparsity : {1u, 2u, 10u, 100u, 100000u}) {
            for (std::size_t lines : {64u, 79u, 80u, 128u, 1024u, 1025u}) {
                check(kernels, lines, sparsity, 1);
            }
        }
    });
}

TEST_CASE("every single changed byte of a page is found") {
    for_each_tier([&](const kernels::Table& kernels) {
        std::vector<std::uint8_t> previous(kernels::kPageBytes);
        std::vector<std::uint8_t> packed(kernels::kPageBytes);
        for (std::size_t at = 0; at < kernels::kPageBytes; ++at) {
            auto current = previous;
            current[at] = 0x80;
            std::uint64_t mask = 0;
            REQUIRE(kernels.scan(current.data(), previous.data(), 64, &mask, packed.data()) == 1);
            REQUIRE(mask == std::uint64_t{1} << (at / kLine));
            REQUIRE(packed[at % kLine] == 0x80);
        }
    });
}

TEST_CASE("scan stays inside its buffers") {
    const GuardedPage now;
    const GuardedPage then;
    std::vector<std::uint64_t> masks(2);
    std::vector<std::uint8_t> packed(now.size());
    for_each_tier([&](const kernels::Table& kernels) {
        for (std::size_t lines = 0; lines <= now.size() / kLine; ++lines) {
            kernels.scan(now.last(lines * kLine), then.last(lines * kLine), lines, masks.data(),
                         packed.data());
            kernels.scan_update(now.first(), then.first(), lines, masks.data(), packed.data());
        }
    });
}
