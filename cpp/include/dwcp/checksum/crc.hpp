// CRC-32 (RFC 1952, ISO-HDLC), CRC-32C (RFC 3720, Castagnoli) and CRC-64/NVME (NVM Express, 64-bit
// CRC of the end-to-end data protection). Names and parameters are those of the CRC catalogue; see
// docs/checksums.md.
//
// All functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::checksum {

// Checksum of `data`, going on from `value`, the checksum of what came before it.
[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> data, std::uint32_t value = 0);
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t value = 0);
[[nodiscard]] std::uint64_t crc64nvme(std::span<const std::byte> data, std::uint64_t value = 0);

// Checksum of A followed by B, from the checksums of both and the length of B in bytes.
// Takes time proportional to the logarithm of length2.
[[nodiscard]] std::uint32_t crc32_combine(std::uint32_t crc1, std::uint32_t crc2,
                                          std::uint64_t length2);
[[nodiscard]] std::uint32_t crc32c_combine(std::uint32_t crc1, std::uint32_t crc2,
                                           std::uint64_t length2);
[[nodiscard]] std::uint64_t crc64nvme_combine(std::uint64_t crc1, std::uint64_t crc2,
                                              std::uint64_t length2);

// Checksum of what `value` is the checksum of, followed by `length` zero bytes: one multiplication
// by x^(8 * length) modulo the polynomial, in time proportional to the logarithm of length.
[[nodiscard]] std::uint32_t crc32_append_zeros(std::uint32_t value, std::uint64_t length);
[[nodiscard]] std::uint32_t crc32c_append_zeros(std::uint32_t value, std::uint64_t length);
[[nodiscard]] std::uint64_t crc64nvme_append_zeros(std::uint64_t value, std::uint64_t length);

// CRC-64/NVME of `length` zero bytes.
[[nodiscard]] inline std::uint64_t crc64nvme_of_zeros(std::uint64_t length) {
    return crc64nvme_append_zeros(0, length);
}

// The linear part of CRC-64/NVME: a register without initial and final inversion, so that
//     crc64nvme(a) ^ crc64nvme(b) == register of (a ^ b)      for a and b of equal length.
// A digest is thereby brought up to date from the XOR of the change alone: leading zeros cost
// nothing, zeros in between are skipped by one multiplication by x^(8n) mod P.
class LinearCrc64Nvme {
  public:
    void update(std::span<const std::byte> data) noexcept;
    void skip_zeros(std::uint64_t length) noexcept;
    [[nodiscard]] std::uint64_t value() const noexcept { return register_; }

  private:
    std::uint64_t register_ = 0;
};

}  // namespace dwcp::checksum
