#include "delta/decode.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

#include "bytes.hpp"
#include "delta/codec.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/delta/delta.hpp"
#include "dwcp/delta/encoder.hpp"
#include "dwcp/error.hpp"
#include "kernels/dispatch.hpp"
#include "os/file.hpp"

namespace dwcp::delta {

DecodedDelta::DecodedDelta(std::span<const std::byte> delta) : header_(parse_header(delta)) {
    RecordReader reader(header_, delta);
    Record record;
    while (reader.next(record)) {
        records_.push_back({record, {}, {}});
        records_.back().index = decoded_stream(record.streams[0]);
        records_.back().values = decoded_stream(record.streams[1]);
    }
    // Once through all segments: later walks cannot fail half-way.
    for_each([](const Record&, std::uint64_t, std::span<const std::byte>) {});
}

std::span<const std::byte> DecodedDelta::decoded_stream(const Stream& stream) {
    if (stream.codec == Codec::kNone) return stream.wire;
    decompressed_.emplace_back(static_cast<std::size_t>(stream.decoded_length));
    decompress(stream.codec, stream.wire, decompressed_.back());
    return decompressed_.back();
}

void DecodedDelta::verify(std::span<const std::byte> state, std::uint64_t base_digest) const {
    if (state.size() != header_.state_length) {
        throw WrongBase("the delta is for a state of " + std::to_string(header_.state_length) +
                        " bytes, this one has " + std::to_string(state.size()));
    }
    if (base_digest != header_.base_digest) {
        throw WrongBase("the delta is for a state with another digest");
    }
    const kernels::Table& kernels = kernels::active();
    checksum::LinearCrc64Nvme change;
    std::uint64_t end = 0;
    std::array<std::byte, kPageBytes> difference;
    std::array<std::byte, kPageBytes> filled;
    for_each([&](const Record& record, std::uint64_t offset, std::span<const std::byte> values) {
        change.skip_zeros(offset - end);
        const bool fill = record.mode == RecordMode::kFill;
        const std::size_t length = fill ? record.block_length : values.size();
        end = offset + length;
        if (record.operation == Operation::kXor) {
            change.update(values);
            return;
        }
        const std::size_t first = static_cast<std::size_t>(offset);
        if (fill) filled.fill(values[0]);
        for (std::size_t at = 0; at < length; at += difference.size()) {
            const std::size_t count = std::min(difference.size(), length - at);
            const std::byte* const fresh = fill ? filled.data() : values.data() + at;
            kernels.xor_bytes(as_u8(difference.data()), as_u8(fresh),
                              as_u8(state.data() + first + at), count);
            change.update(std::span(difference).first(count));
        }
    });
    change.skip_zeros(header_.state_length - end);
    if ((header_.base_digest ^ change.value()) != header_.result_digest) {
        throw CorruptDelta("applying the delta would not give the state that it names");
    }
}

void DecodedDelta::write(std::span<std::byte> state) const {
    const kernels::Table& kernels = kernels::active();
    for_each([&](const Record& record, std::uint64_t offset, std::span<const std::byte> values) {
        std::byte* const out = state.data() + offset;
        if (record.mode == RecordMode::kFill) {
            std::memset(out, std::to_integer<int>(values[0]), record.block_length);
        } else if (record.operation == Operation::kXor) {
            kernels.xor_bytes(as_u8(out), as_u8(out), as_u8(values.data()), values.size());
        } else if (!values.empty()) {
            std::memcpy(out, values.data(), values.size());
        }
    });
}

void apply_verified(std::span<const std::byte> delta, std::span<std::byte> state) {
    DecodedDelta(delta).write(state);
}

namespace {

// Before anything is decompressed: what that takes is bounded by the length of the state, and a
// delta may name any.
void require_length(std::span<const std::byte> delta, std::size_t length, const char* what) {
    const std::uint64_t wanted = parse_header(delta).state_length;
    if (length == wanted) return;
    throw WrongBase("the delta is for a state of " + std::to_string(wanted) + " bytes, " + what +
                    " has " + std::to_string(length));
}

}  // namespace

std::uint64_t apply(std::span<const std::byte> delta, std::span<std::byte> state,
                    std::optional<std::uint64_t> base_digest) {
    require_length(delta, state.size(), "this one");
    const DecodedDelta decoded(delta);
    decoded.verify(state, base_digest ? *base_digest : checksum::crc64nvme(state));
    decoded.write(state);
    return decoded.header().result_digest;
}

std::uint64_t decode(std::span<const std::byte> delta,
                     std::optional<std::span<const std::byte>> previous, std::span<std::byte> out,
                     std::optional<std::uint64_t> base_digest) {
    require_length(delta, out.size(), "out");
    const DecodedDelta decoded(delta);
    if (previous) {
        if (!base_digest && previous->size() == out.size()) {
            base_digest = checksum::crc64nvme(*previous);
        }
        decoded.verify(*previous, base_digest.value_or(0));
        const bool in_place = out.data() == previous->data();
        if (!in_place && overlap(out, *previous)) {
            throw std::invalid_argument("decode: out must be previous exactly, or not overlap it");
        }
        if (!out.empty() && !in_place) std::memcpy(out.data(), previous->data(), out.size());
        decoded.write(out);
        return decoded.header().result_digest;
    }
    // Verified against zeros without writing them to `out` first: a buffer of zeros that nobody
    // has touched takes no memory.
    const os::Pages zeros(out.size());
    decoded.verify(zeros.bytes(), checksum::crc64nvme_of_zeros(out.size()));
    if (!out.empty()) std::memset(out.data(), 0, out.size());
    decoded.write(out);
    return decoded.header().result_digest;
}

std::uint64_t state_length(std::span<const std::byte> delta) {
    return parse_header(delta).state_length;
}

Inspection inspect(std::span<const std::byte> delta) {
    static constexpr std::array<const char*, 5> kModeNames = {"", "raw", "fill", "lines", "runs"};
    static constexpr std::array<const char*, 3> kCodecNames = {"none", "lz4", "zstd"};
    const DecodedDelta decoded(delta);
    const Header& header = decoded.header();
    Inspection result;
    result.version = kVersion;
    result.state_length_bytes = header.state_length;
    result.base_digest = header.base_digest;
    result.result_digest = header.result_digest;
    result.block_size_bytes = header.block_bytes;
    result.wire_bytes = delta.size();
    RecordReader reader(header, delta);
    Record record;
    while (reader.next(record)) {
        ++result.changed_blocks;
        std::string mode = kModeNames[static_cast<std::size_t>(record.mode)];
        if (record.mode == RecordMode::kLines) {
            mode += record.operation == Operation::kXor ? "-xor" : "-new";
        }
        ++result.modes[mode];
        for (const Stream& stream : record.streams) {
            if (stream.decoded_length == 0) continue;
            ++result.codecs[kCodecNames[static_cast<std::size_t>(stream.codec)]];
        }
    }
    decoded.for_each([&](const Record& at, std::uint64_t, std::span<const std::byte> values) {
        result.changed_bytes += at.mode == RecordMode::kFill ? at.block_length : values.size();
    });
    return result;
}

Decoder::Decoder(std::span<std::byte> state, std::optional<std::uint64_t> digest)
    : state_(state), digest_(digest ? *digest : checksum::crc64nvme(state)) {}

std::uint64_t Decoder::apply(std::span<const std::byte> delta) {
    digest_ = delta::apply(delta, state_, digest_);
    return digest_;
}

bool Decoder::verify() const {
    return checksum::crc64nvme(state_) == digest_;
}

}  // namespace dwcp::delta
