// Mutated deltas whose checksums are put right again, so that they get past them.
#include <cstring>

#include "delta/wire.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/delta/delta.hpp"
#include "dwcp/error.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

void repair_header(delta::Bytes& bytes) {
    if (bytes.size() < delta::kHeaderBytes) return;
    const std::uint64_t body = bytes.size() - delta::kHeaderBytes;
    std::memcpy(bytes.data() + 32, &body, sizeof body);
    const std::uint32_t crc = checksum::crc32c(std::span(bytes).first(44));
    std::memcpy(bytes.data() + 44, &crc, sizeof crc);
}

// The only record ends with its CRC.
void repair_record(delta::Bytes& bytes) {
    if (bytes.size() < delta::kHeaderBytes + 4) return;
    const auto covered =
        std::span(bytes).subspan(delta::kHeaderBytes, bytes.size() - delta::kHeaderBytes - 4);
    const std::uint32_t crc = checksum::crc32c(covered);
    std::memcpy(bytes.data() + bytes.size() - 4, &crc, sizeof crc);
}

void mutate(delta::Bytes& bytes, Random& random) {
    for (std::size_t i = 0; i <= random.below(3); ++i) {
        const std::size_t at = random.below(bytes.size());
        switch (random.below(4)) {
            case 0:
                bytes[at] = static_cast<std::byte>(random.next());
                break;
            case 1:
                bytes[at] ^= static_cast<std::byte>(1u << random.below(8));
                break;
            case 2:
                bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
                break;
            default:
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                             static_cast<std::byte>(random.next()));
        }
    }
}

}  // namespace

TEST_CASE("mutated deltas are refused and leave the state alone") {
    const auto previous = random_bytes(4000, 1);
    auto current = previous;
    for (std::size_t at = 0; at < current.size(); at += 150) current[at] ^= 0xFF;
    Random random(5);
    std::size_t refused = 0;
    std::size_t applied = 0;
    for (const auto mode :
         {delta::Mode::kRaw, delta::Mode::kLinesXor, delta::Mode::kLinesNew, delta::Mode::kRuns}) {
        for (const auto codec : {delta::Codec::kNone, delta::Codec::kLz4, delta::Codec::kZstd}) {
            delta::Options options;
            options.mode = mode;
            options.codec = codec;
            options.block_bytes = 4096;
            const auto good = delta::encode(as_bytes(current), as_bytes(previous), options);
            for (int i = 0; i < 3000; ++i) {
                auto bad = good;
                mutate(bad, random);
                if (random.below(8) != 0) repair_record(bad);
                if (random.below(8) != 0) repair_header(bad);
                auto state = previous;
                try {
                    delta::apply(bad, as_writable(state));
                    // Mutations that cancel out, or that spell the same state another way.
                    REQUIRE(state == current);
                    ++applied;
                } catch (const Error&) {
                    REQUIRE(state == previous);
                    ++refused;
                }
            }
        }
    }
    CHECK(refused > 30'000);
    CHECK(applied < refused / 10);
}

TEST_CASE("a version from the future is unsupported, not corrupt") {
    auto bytes = delta::encode({}, {});
    bytes[4] = std::byte{2};
    repair_header(bytes);
    CHECK_THROWS_AS(static_cast<void>(delta::inspect(bytes)), Unsupported);
}

TEST_CASE("a delta for another length is refused before its records are read") {
    const auto previous = random_bytes(4000, 1);
    auto current = previous;
    current[7] ^= 1;
    auto bytes = delta::encode(as_bytes(current), as_bytes(previous));
    const std::uint64_t length = std::uint64_t{1} << 40;
    std::memcpy(bytes.data() + 8, &length, sizeof length);
    bytes.back() ^= std::byte{1};
    repair_header(bytes);
    auto state = previous;
    CHECK_THROWS_AS(static_cast<void>(delta::inspect(bytes)), CorruptDelta);
    CHECK_THROWS_AS(delta::apply(bytes, as_writable(state)), WrongBase);
    CHECK_THROWS_AS(delta::decode(bytes, as_bytes(previous), as_writable(state)), WrongBase);
    CHECK(state == previous);
}
