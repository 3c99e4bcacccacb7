#include "delta/wire.hpp"

#include <bit>
#include <cstring>
#include <string>

#include "delta/codec.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/error.hpp"

namespace dwcp::delta {

namespace {

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");

constexpr std::uint32_t kMagic = 0x44435744;  // "DWCD"
constexpr std::uint8_t kModeMask = 0x0F;
constexpr std::uint8_t kXorBit = 0x10;
constexpr std::uint8_t kElementBytes = 1;
// Streams shorter than this are not worth a codec's frame.
constexpr std::size_t kCompressBytesMin = 64;

template <typename T>
void put(Bytes& out, T value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof value);
}

template <typename T>
void store_at(std::span<std::byte> out, std::size_t at, T value) {
    std::memcpy(out.data() + at, &value, sizeof value);
}

void put_varint(Bytes& out, std::uint64_t value) {
    std::array<std::byte, kVarintBytesMax> bytes;
    out.insert(out.end(), bytes.data(), put_varint_at(bytes.data(), value));
}

std::size_t stream_count(RecordMode mode) {
    return mode == RecordMode::kLines || mode == RecordMode::kRuns ? 2 : 1;
}

// Most bytes that a stream of an honest record can have.
std::uint64_t index_bytes_max(RecordMode mode, std::uint64_t block_length) {
    if (mode == RecordMode::kLines) {
        return (block_length + kPageBytes - 1) / kPageBytes * (sizeof(std::uint64_t) + 3);
    }
    return block_length + kLineBytes;
}

}  // namespace

Header parse_header(std::span<const std::byte> delta) {
    if (delta.size() < kHeaderBytes) {
        throw CorruptDelta("a delta has at least " + std::to_string(kHeaderBytes) +
                           " bytes, this one " + std::to_string(delta.size()));
    }
    Reader reader(delta);
    if (reader.u32() != kMagic) throw CorruptDelta("the bytes do not start like a delta");
    const std::uint16_t version = reader.u16();
    if (version != kVersion) {
        throw Unsupported("the delta has format version " + std::to_string(version) +
                          "; this dwcp reads version " + std::to_string(kVersion) + " only");
    }
    const std::uint16_t flags = reader.u16();
    Header header;
    header.state_length = reader.u64();
    header.base_digest = reader.u64();
    header.result_digest = reader.u64();
    header.body_length = reader.u64();
    header.block_bytes = reader.u32();
    const std::uint32_t crc = reader.u32();
    if (crc != checksum::crc32c(delta.first(kHeaderBytes - sizeof crc))) {
        throw CorruptDelta("the checksum of the delta's header does not match");
    }
    if (flags != 0) throw Unsupported("the delta uses flags unknown to this dwcp");
    if (!std::has_single_bit(header.block_bytes) || header.block_bytes < kBlockBytesMin ||
        header.block_bytes > kBlockBytesMax) {
        throw CorruptDelta("the delta's block size is out of bounds");
    }
    if (header.body_length != delta.size() - kHeaderBytes) {
        throw CorruptDelta("the delta says that " + std::to_string(header.body_length) +
                           " bytes of records follow, but " +
                           std::to_string(delta.size() - kHeaderBytes) + " do");
    }
    return header;
}

void write_header(const Header& header, std::span<std::byte> out) {
    store_at(out, 0, kMagic);
    store_at(out, 4, kVersion);
    store_at(out, 6, std::uint16_t{0});
    store_at(out, 8, header.state_length);
    store_at(out, 16, header.base_digest);
    store_at(out, 24, header.result_digest);
    store_at(out, 32, header.body_length);
    store_at(out, 40, header.block_bytes);
    store_at(out, 44, checksum::crc32c(out.first(kHeaderBytes - 4)));
}

std::uint8_t Reader::u8() {
    return std::to_integer<std::uint8_t>(bytes(1)[0]);
}

std::uint16_t Reader::u16() {
    std::uint16_t value;
    std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
    return value;
}

std::uint32_t Reader::u32() {
    std::uint32_t value;
    std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
    return value;
}

std::uint64_t Reader::u64() {
    std::uint64_t value;
    std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
    return value;
}

std::uint64_t Reader::varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const std::uint64_t byte = u8();
        const std::uint64_t bits = byte & 0x7F;
        if (shift == 63 && bits > 1) break;
        value |= bits << shift;
        if ((byte & 0x80) == 0) {
            // One spelling for each value: equal deltas are equal bytes.
            if (bits == 0 && shift != 0) break;
            return value;
        }
    }
    throw CorruptDelta("a number in the delta is not in its shortest form or exceeds 64 bits");
}

std::span<const std::byte> Reader::bytes(std::uint64_t count) {
    if (count > bytes_.size() - at_) throw CorruptDelta("the delta ends within a record");
    const auto taken = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return taken;
}

RecordReader::RecordReader(const Header& header, std::span<const std::byte> delta)
    : header_(header),
      reader_(delta.subspan(kHeaderBytes)),
      body_(delta.subspan(kHeaderBytes)),
      blocks_(header.state_length / header.block_bytes +
              (header.state_length % header.block_bytes != 0 ? 1 : 0)) {}

bool RecordReader::next(Record& record) {
    if (reader_.at_end()) return false;
    const std::size_t start = reader_.position();
    const std::uint64_t skipped = reader_.varint();
    if (skipped >= blocks_ - block_) throw CorruptDelta("a record lies beyond the state");
    block_ += skipped;
    record.block_offset = block_ * header_.block_bytes;
    const std::uint64_t rest = header_.state_length - record.block_offset;
    record.block_length =
        static_cast<std::size_t>(rest < header_.block_bytes ? rest : header_.block_bytes);
    ++block_;

    const std::uint8_t kind = reader_.u8();
    record.mode = static_cast<RecordMode>(kind & kModeMask);
    record.operation = (kind & kXorBit) != 0 ? Operation::kXor : Operation::kNew;
    const bool known = record.mode >= RecordMode::kRaw && record.mode <= RecordMode::kRuns;
    const bool may_xor = record.mode == RecordMode::kLines || record.mode == RecordMode::kRuns;
    if (!known || (kind & ~(kModeMask | kXorBit)) != 0 ||
        (record.operation == Operation::kXor && !may_xor)) {
        throw CorruptDelta("a record has an unknown mode");
    }
    if (reader_.u8() != kElementBytes) throw CorruptDelta("a record has an unknown element size");

    record.streams = {};
    const std::size_t count = stream_count(record.mode);
    std::array<std::uint64_t, 2> wire_length{};
    for (std::size_t i = 2 - count; i < 2; ++i) {
        Stream& stream = record.streams[i];
        const std::uint8_t codec = reader_.u8();
        if (codec > static_cast<std::uint8_t>(Codec::kZstd)) {
            throw CorruptDelta("a record has an unknown codec");
        }
        stream.codec = static_cast<Codec>(codec);
        stream.decoded_length = reader_.varint();
        const bool index = i == 0;
        const std::uint64_t limit =
            index ? index_bytes_max(record.mode, record.block_length) : record.block_length;
        if (stream.decoded_length > limit) throw CorruptDelta("a stream is longer than its block");
        wire_length[i] = stream.codec == Codec::kNone ? stream.decoded_length : reader_.varint();
        if (wire_length[i] > stream.decoded_length) {
            throw CorruptDelta("a compressed stream is longer than what it decodes to");
        }
    }
    for (std::size_t i = 2 - count; i < 2; ++i) {
        record.streams[i].wire = reader_.bytes(wire_length[i]);
    }
    const auto covered = body_.subspan(start, reader_.position() - start);
    if (reader_.u32() != checksum::crc32c(covered)) {
        throw CorruptDelta("the checksum of the record at byte " +
                           std::to_string(kHeaderBytes + start) + " does not match");
    }
    record.wire_bytes = reader_.position() - start;
    return true;
}

void append_record(Bytes& out, const RecordParts& parts, Compressor& compressor) {
    const std::size_t start = out.size();
    put_varint(out, parts.skipped_blocks);
    const auto kind = static_cast<std::uint8_t>(static_cast<std::uint8_t>(parts.mode) |
                                                (parts.operation == Operation::kXor ? kXorBit : 0));
    out.push_back(static_cast<std::byte>(kind));
    out.push_back(static_cast<std::byte>(kElementBytes));

    const std::array<std::span<const std::byte>, 2> decoded = {parts.index, parts.values};
    std::array<Bytes, 2> compressed;
    for (std::size_t i = 2 - stream_count(parts.mode); i < 2; ++i) {
        // Clearly smaller: by a sixteenth, or decoding is not worth its time.
        std::span<const std::byte> smaller;
        if (decoded[i].size() >= kCompressBytesMin) {
            smaller = compressor.compress(decoded[i], decoded[i].size() - decoded[i].size() / 16);
        }
        compressed[i].assign(smaller.begin(), smaller.end());
        out.push_back(static_cast<std::byte>(smaller.empty() ? Codec::kNone : compressor.codec()));
        put_varint(out, decoded[i].size());
        if (!smaller.empty()) put_varint(out, smaller.size());
    }
    for (std::size_t i = 2 - stream_count(parts.mode); i < 2; ++i) {
        const std::span<const std::byte> wire =
            compressed[i].empty() ? decoded[i] : std::span<const std::byte>(compressed[i]);
        out.insert(out.end(), wire.begin(), wire.end());
    }
    put(out, checksum::crc32c(std::span(out).subspan(start)));
}

}  // namespace dwcp::delta
