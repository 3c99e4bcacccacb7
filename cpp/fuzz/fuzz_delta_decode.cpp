// The delta decoder with hostile bytes on all instruction sets: what it refuses leaves the state as
// it was, what it takes gives the state that was named, and nothing else is thrown, read or taken.
#include <algorithm>
#include <optional>
#include <string>
#include <typeinfo>

#include "delta/decode.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/delta/delta.hpp"
#include "dwcp/error.hpp"
#include "dwcp/isa/isa.hpp"
#include "fuzz.hpp"

using namespace dwcp;
using namespace dwcp::fuzzing;

namespace {

using State = std::vector<std::byte>;

void append(delta::Bytes& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

// Pieces of the input, each with the checksum that makes a record of it.
delta::Bytes records_from(Input& input) {
    delta::Bytes body;
    while (!input.empty()) {
        const std::size_t length = input.take<std::uint16_t>() % 1024;
        const auto record = std::as_bytes(input.take_bytes(length));
        append(body, record);
        const std::uint32_t crc = checksum::crc32c(record);
        append(body, std::as_bytes(std::span(&crc, 1)));
    }
    return body;
}

// An honest delta, then some of its bytes changed and the checksum of a single record put right.
delta::Bytes damaged_records(Input& input, const State& base, std::uint32_t block_bytes) {
    delta::Options options;
    options.mode = static_cast<delta::Mode>(input.take<std::uint8_t>() % 5);
    options.codec = static_cast<delta::Codec>(input.take<std::uint8_t>() % 3);
    options.block_bytes = block_bytes;
    const std::size_t damages = input.take<std::uint8_t>() % 4;
    std::vector<std::uint32_t> places(damages);
    for (std::uint32_t& place : places) place = input.take<std::uint32_t>();
    State target = base;
    while (!input.empty() && !target.empty()) {
        const std::size_t at = input.below(target.size());
        const auto bytes = std::as_bytes(input.take_bytes(1 + input.take<std::uint8_t>() % 64));
        for (std::size_t i = 0; i < bytes.size() && at + i < target.size(); ++i) {
            target[at + i] ^= bytes[i];
        }
    }
    delta::Bytes whole = delta::encode(target, base, options);
    delta::Bytes body(whole.begin() + delta::kHeaderBytes, whole.end());
    if (body.size() < sizeof(std::uint32_t)) return body;
    const auto record = std::span(body).first(body.size() - sizeof(std::uint32_t));
    for (const std::uint32_t place : places) {
        record[place % record.size()] ^= static_cast<std::byte>(place >> 24);
    }
    const std::uint32_t crc = checksum::crc32c(record);
    if (damages != 0) std::memcpy(record.data() + record.size(), &crc, sizeof crc);
    return body;
}

// What a call ended with: the name of the error's type, or nothing and a state.
struct Outcome {
    std::string error;
    State state;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

template <typename Call>
Outcome outcome_of(State state, Call&& call) {
    try {
        call(state);
        return {"", std::move(state)};
    } catch (const Error& error) {
        return {typeid(error).name(), std::move(state)};
    }
}

void check_decoders(const delta::Bytes& bytes, const State& base, const kernels::TierInfo& tier,
                    std::optional<Outcome>& portable) {
    isa::force(tier.name);
    Outcome applied = outcome_of(base, [&](State& state) { delta::apply(bytes, state); });
    const bool hidden =
        planted(std::span(reinterpret_cast<const std::uint8_t*>(base.data()), base.size()), tier);
    if (hidden && !applied.error.empty()) applied.state[0] ^= std::byte{1};
    expect(applied.error.empty() || applied.state == base, "a refused delta changed the state",
           tier.name);
    const Outcome decoded = outcome_of(State(base.size(), std::byte{0xEE}), [&](State& out) {
        delta::decode(bytes, std::span(base), out);
    });
    expect(decoded.error == applied.error, "apply and decode end differently", tier.name);
    expect(!applied.error.empty() || decoded.state == applied.state,
           "apply and decode give different states", tier.name);
    if (!portable) portable = applied;
    expect(applied == *portable, "instruction sets end differently", tier.name);
}

// The delta is well-formed: writes it without verification, names what came out, and sees whether
// it is now taken and described as it should be.
void check_well_formed(delta::Bytes bytes, delta::Header header, const State& base) {
    State result = base;
    delta::DecodedDelta(bytes).write(result);
    header.result_digest = checksum::crc64nvme(result);
    delta::write_header(header, bytes);
    const auto regions = delta::regions(bytes);
    for_each_tier([&](const kernels::TierInfo& tier) {
        isa::force(tier.name);
        const Outcome applied = outcome_of(base, [&](State& state) {
            expect(delta::apply(bytes, state) == header.result_digest,
                   "apply returns another digest", tier.name);
        });
        expect(applied.error.empty() && applied.state == result,
               "a good delta was refused or gave another state", tier.name);
        std::uint64_t end = 0;
        for (const delta::Region& region : regions) {
            expect(region.offset >= end && region.length != 0, "regions overlap", tier.name);
            expect(std::equal(base.begin() + static_cast<std::ptrdiff_t>(end),
                              base.begin() + static_cast<std::ptrdiff_t>(region.offset),
                              result.begin() + static_cast<std::ptrdiff_t>(end)),
                   "a change is outside all regions", tier.name);
            end = region.offset + region.length;
        }
        expect(end <= base.size() &&
                   std::equal(base.begin() + static_cast<std::ptrdiff_t>(end), base.end(),
                              result.begin() + static_cast<std::ptrdiff_t>(end)),
               "a change is behind all regions", tier.name);
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size) {
    Input input(input_data, input_size);
    const unsigned kind = input.take<std::uint8_t>() % 4;
    const auto block_bytes =
        static_cast<std::uint32_t>(delta::kBlockBytesMin << input.take<std::uint8_t>() % 2);
    const std::size_t state_bytes = input.below(20'000);
    const auto seed = input.take_bytes(8);
    const auto stretched_seed = stretched(seed, state_bytes);
    const auto base_bytes = std::as_bytes(std::span(stretched_seed));
    const State base(base_bytes.begin(), base_bytes.end());

    delta::Header header;
    header.state_length = base.size();
    header.base_digest = checksum::crc64nvme(base);
    header.block_bytes = block_bytes;
    delta::Bytes bytes;
    if (kind == 0) {
        append(bytes, std::as_bytes(input.take_rest()));
    } else {
        // Lengths that others claim.
        if (kind == 1) header.state_length = input.take<std::uint64_t>();
        const delta::Bytes body =
            kind == 3 ? damaged_records(input, base, block_bytes) : records_from(input);
        header.body_length = body.size();
        bytes.resize(delta::kHeaderBytes);
        delta::write_header(header, bytes);
        append(bytes, body);
    }
    std::optional<Outcome> portable;
    for_each_tier(
        [&](const kernels::TierInfo& tier) { check_decoders(bytes, base, tier, portable); });
    if (header.state_length != base.size()) return 0;
    try {
        static_cast<void>(delta::inspect(bytes));
    } catch (const Error&) {
        return 0;
    }
    if (delta::parse_header(bytes).state_length == base.size()) {
        check_well_formed(bytes, delta::parse_header(bytes), base);
    }
    return 0;
}
