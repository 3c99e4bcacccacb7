// Fletcher-32 (J. Fletcher, "An Arithmetic Checksum for Serial Transmissions", IEEE Transactions on
// Communications, 1982) over little-endian words of 16 bits, from sums of 0, modulo 65535.
//
// All functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::checksum {

// Checksum of `data`, going on from `value`, the checksum of what came before it: only right when
// that had an even length, because an odd last byte counts as a word whose high byte is 0. The
// class Checksum takes pieces of any length. Both halves of `value` are taken modulo 65535.
[[nodiscard]] std::uint32_t fletcher32(std::span<const std::byte> data, std::uint32_t value = 0);

}  // namespace dwcp::checksum
