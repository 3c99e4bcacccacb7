#include <array>

#include "dwcp/checksum/crc.hpp"
#include "dwcp/delta/delta.hpp"
#include "dwcp/delta/encoder.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

constexpr std::array kModes = {delta::Mode::kAuto, delta::Mode::kRaw, delta::Mode::kLinesXor,
                               delta::Mode::kLinesNew, delta::Mode::kRuns};
constexpr std::array kCodecs = {delta::Codec::kNone, delta::Codec::kLz4, delta::Codec::kZstd};

std::vector<std::uint8_t> change(std::vector<std::uint8_t> state, Random& random) {
    if (state.empty()) return state;
    switch (random.below(4)) {
        case 0:
            state[random.below(state.size())] ^= 1;
            break;
        case 1:
            for (auto& byte : state) byte = 9;
            break;
        case 2:
            for (std::size_t at = random.below(97); at < state.size(); at += 97) state[at] ^= 5;
            break;
        default:
            state = random_bytes(state.size(), random.next());
    }
    return state;
}

}  // namespace

TEST_CASE("what is encoded decodes, for every mode and codec") {
    Random random(7);
    for_each_tier([&](const kernels::Table&) {
        for (std::size_t size : {0u, 1u, 63u, 64u, 65u, 300u, 4096u, 4097u, 70'001u}) {
            const auto previous = random_bytes(size, size);
            for (const auto mode : kModes) {
                for (const auto codec : kCodecs) {
                    const auto current = change(previous, random);
                    delta::Options options;
                    options.mode = mode;
                    options.codec = codec;
                    options.block_bytes = 4096;
                    const auto encoded =
                        delta::encode(as_bytes(current), as_bytes(previous), options);
                    auto state = previous;
                    const std::uint64_t digest = delta::apply(encoded, as_writable(state));
                    REQUIRE(state == current);
                    REQUIRE(digest == checksum::crc64nvme(as_bytes(current)));
                }
            }
        }
    });
}

TEST_CASE("encoder and decoder follow a state") {
    Random random(8);
    auto state = random_bytes(50'000, 1);
    const std::array part = {delta::Part{0, as_bytes(state)}};
    delta::Encoder encoder(part, state.size());
    auto copy = state;
    delta::Decoder decoder(as_writable(copy));
    for (int i = 0; i < 20; ++i) {
        state = change(state, random);
        const std::array now = {delta::Part{0, as_bytes(state)}};
        const auto before = copy;
        const auto encoded = encoder.encode(now);
        CHECK(decoder.apply(encoded) == encoder.digest());
        REQUIRE(copy == state);
        CHECK(decoder.verify());
        for (const delta::Region& region :
             delta::changed_regions(as_bytes(state), as_bytes(before))) {
            CHECK(region.length > 0);
        }
    }
}

TEST_CASE("deltas compose") {
    Random random(9);
    const auto first = random_bytes(30'000, 2);
    auto state = first;
    std::vector<delta::Bytes> deltas;
    for (int i = 0; i < 5; ++i) {
        const auto next = change(state, random);
        deltas.push_back(delta::encode(as_bytes(next), as_bytes(state)));
        state = next;
    }
    const std::vector<std::span<const std::byte>> spans(deltas.begin(), deltas.end());
    auto copy = first;
    delta::apply(delta::compose(spans, as_bytes(state)), as_writable(copy));
    CHECK(copy == state);
}
