#include "dwcp/checksum/crc.hpp"

#include <xxhash.h>

#include <array>

#include "bytes.hpp"
#include "kernels/crc_constants.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::checksum {

namespace {

// powers[k][b] = x^(8 * b * 256^k) mod P: x^(8n) is a product of one entry for each byte of n.
using Powers = std::array<std::array<std::uint64_t, 256>, 8>;

Powers make_powers() {
    Powers powers{};
    std::uint64_t step = kernels::power_of_x<kernels::Crc64Nvme>(8);
    for (auto& row : powers) {
        row[0] = kernels::power_of_x<kernels::Crc64Nvme>(0);
        for (std::size_t b = 1; b < 256; ++b) {
            row[b] = kernels::active().crc64nvme_multiply(row[b - 1], step);
        }
        step = kernels::active().crc64nvme_multiply(row[255], step);
    }
    return powers;
}

std::uint64_t times_zero_bytes(std::uint64_t residue, std::uint64_t length) {
    static const Powers kPowers = make_powers();
    if (residue == 0) return 0;
    for (std::size_t k = 0; length != 0; ++k, length >>= 8) {
        const std::size_t b = length & 0xFF;
        if (b != 0) residue = kernels::active().crc64nvme_multiply(residue, kPowers[k][b]);
    }
    return residue;
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t value) {
    return ~kernels::active().crc32c(~value, as_u8(data.data()), data.size());
}

std::uint64_t crc64nvme(std::span<const std::byte> data, std::uint64_t value) {
    return ~kernels::active().crc64nvme(~value, as_u8(data.data()), data.size());
}

std::uint64_t crc64nvme_combine(std::uint64_t crc1, std::uint64_t crc2, std::uint64_t length2) {
    return times_zero_bytes(crc1, length2) ^ crc2;
}

std::uint64_t crc64nvme_of_zeros(std::uint64_t length) {
    return ~times_zero_bytes(~std::uint64_t{0}, length);
}

void LinearCrc64Nvme::update(std::span<const std::byte> data) noexcept {
    register_ = kernels::active().crc64nvme(register_, as_u8(data.data()), data.size());
}

void LinearCrc64Nvme::skip_zeros(std::uint64_t length) noexcept {
    register_ = times_zero_bytes(register_, length);
}

std::uint64_t xxh3_64(std::span<const std::byte> data, std::uint64_t seed) {
    return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

}  // namespace dwcp::checksum
