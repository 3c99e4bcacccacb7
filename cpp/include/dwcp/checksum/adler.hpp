// Adler-32 (RFC 1950).
//
// All functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::checksum {

// Checksum of `data`, going on from `value`, the checksum of what came before it; 1 is that of
// nothing. Both halves of `value` are taken modulo 65521.
[[nodiscard]] std::uint32_t adler32(std::span<const std::byte> data, std::uint32_t value = 1);

// Checksum of A followed by B, from the checksums of both and the length of B in bytes, in constant
// time.
[[nodiscard]] std::uint32_t adler32_combine(std::uint32_t adler1, std::uint32_t adler2,
                                            std::uint64_t length2);

}  // namespace dwcp::checksum
