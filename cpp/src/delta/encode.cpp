#include <stdexcept>
#include <string>

#include "delta/block_encoder.hpp"
#include "delta/wire.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/delta/delta.hpp"

namespace dwcp::delta {

namespace {

// previous_block(offset, length) gives the bytes of the previous state.
template <typename PreviousBlock>
Bytes encode_blocks(std::span<const std::byte> current, const Options& options,
                    std::optional<std::uint64_t> base_digest, PreviousBlock&& previous_block) {
    BlockEncoder encoder(options);
    Bytes out(kHeaderBytes);
    if (!base_digest) encoder.track_base_digest();
    for (std::size_t at = 0; at < current.size(); at += options.block_bytes) {
        const auto now = current.subspan(at, std::min(options.block_bytes, current.size() - at));
        const auto then = previous_block(at, now.size());
        encoder.encode(now, then, out);
    }
    Header header;
    header.state_length = current.size();
    header.base_digest = base_digest.value_or(encoder.base_digest());
    header.result_digest = encoder.result_digest(header.base_digest, current.size());
    header.body_length = out.size() - kHeaderBytes;
    header.block_bytes = static_cast<std::uint32_t>(options.block_bytes);
    write_header(header, out);
    return out;
}

}  // namespace

Bytes encode(std::span<const std::byte> current, std::span<const std::byte> previous,
             const Options& options) {
    if (current.size() != previous.size()) {
        throw std::invalid_argument("encode: current and previous must have equal lengths, not " +
                                    std::to_string(current.size()) + " and " +
                                    std::to_string(previous.size()) + " bytes");
    }
    return encode_blocks(
        current, options, options.base_digest,
        [&](std::size_t at, std::size_t length) { return previous.subspan(at, length); });
}

Bytes encode_from_zeros(std::span<const std::byte> current, const Options& options) {
    check_options(options);
    const std::vector<std::byte> zeros(std::min(options.block_bytes, current.size()));
    return encode_blocks(current, options, checksum::crc64nvme_of_zeros(current.size()),
                         [&](std::size_t, std::size_t length) {
                             return std::span<const std::byte>(zeros).first(length);
                         });
}

}  // namespace dwcp::delta
