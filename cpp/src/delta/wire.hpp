// The bytes of a delta, as docs/format.md describes them: header, varints, records.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dwcp/delta/delta.hpp"

namespace dwcp::delta {

enum class RecordMode : std::uint8_t { kRaw = 1, kFill = 2, kLines = 3, kRuns = 4 };
enum class Operation : std::uint8_t { kNew = 0, kXor = 1 };

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kLineBytes = 64;
inline constexpr std::size_t kVarintBytesMax = 10;
// Zero gaps shorter than this are sent as bytes: a new run costs two varints.
inline constexpr unsigned kRunGapMin = 4;

struct Header {
    std::uint64_t state_length = 0;
    std::uint64_t base_digest = 0;
    std::uint64_t result_digest = 0;
    std::uint64_t body_length = 0;
    std::uint32_t block_bytes = 0;
};

// Throws CorruptDelta when the bytes are not a delta of exactly this length, Unsupported when the
// version is not 1.
Header parse_header(std::span<const std::byte> delta);
// Into the first kHeaderBytes of `out`.
void write_header(const Header& header, std::span<std::byte> out);

// Writes at most kVarintBytesMax bytes (LEB128) and returns what follows them.
inline std::byte* put_varint_at(std::byte* out, std::uint64_t value) {
    while (value >= 0x80) {
        *out++ = static_cast<std::byte>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<std::byte>(value);
    return out;
}

// Reads fields from hostile bytes; every read past the end throws CorruptDelta.
class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    [[nodiscard]] bool at_end() const noexcept { return at_ == bytes_.size(); }
    [[nodiscard]] std::size_t position() const noexcept { return at_; }
    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u32();
    std::uint64_t u64();
    std::uint64_t varint();
    std::span<const std::byte> bytes(std::uint64_t count);

  private:
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
};

// One stream of a record as it stands on the wire.
struct Stream {
    Codec codec = Codec::kNone;
    std::uint64_t decoded_length = 0;
    std::span<const std::byte> wire;
};

struct Record {
    std::uint64_t block_offset = 0;  // of the block in the state, bytes
    std::size_t block_length = 0;    // shorter than the block size only at the end of the state
    RecordMode mode = RecordMode::kRaw;
    Operation operation = Operation::kNew;
    std::array<Stream, 2> streams{};  // index and values; kRaw and kFill have values only
    std::size_t wire_bytes = 0;
};

// Walks the records of a delta, checking the CRC, the structure and the bounds of each before it
// is returned. Streams are still compressed.
class RecordReader {
  public:
    RecordReader(const Header& header, std::span<const std::byte> delta);

    // False when there is no further record.
    bool next(Record& record);

  private:
    Header header_;
    Reader reader_;
    std::span<const std::byte> body_;
    std::uint64_t blocks_;
    std::uint64_t block_ = 0;
};

// What is appended for one changed block.
struct RecordParts {
    std::uint64_t skipped_blocks = 0;
    RecordMode mode = RecordMode::kRaw;
    Operation operation = Operation::kNew;
    std::span<const std::byte> index;  // decoded; not for kRaw and kFill
    std::span<const std::byte> values;
};

class Compressor;

// Appends the record to `out`; each stream goes through the compressor and stays as it is unless
// that makes it clearly smaller.
void append_record(Bytes& out, const RecordParts& parts, Compressor& compressor);

}  // namespace dwcp::delta
