#include "dwcp/checksum/crc.hpp"

#include <xxhash.h>

#include <array>

#include "bytes.hpp"
#include "kernels/crc_constants.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::checksum {

namespace {

// x^(8n) mod P as a product of one entry for each digit of n. The first digit has six bits and the
// others eight, so that whole lines of 64 bytes inside a block of 1 MiB take two entries at most.
constexpr unsigned kFirstBits = 6;
constexpr unsigned kBits = 8;
constexpr std::size_t kDigits = 9;
using Powers = std::array<std::array<std::uint64_t, 1u << kBits>, kDigits>;

Powers make_powers() {
    Powers powers{};
    std::uint64_t step = kernels::power_of_x<kernels::Crc64Nvme>(8);
    for (std::size_t k = 0; k < kDigits; ++k) {
        const std::size_t entries = std::size_t{1} << (k == 0 ? kFirstBits : kBits);
        powers[k][0] = kernels::power_of_x<kernels::Crc64Nvme>(0);
        for (std::size_t digit = 1; digit < entries; ++digit) {
            powers[k][digit] = kernels::active().crc64nvme_multiply(powers[k][digit - 1], step);
        }
        step = kernels::active().crc64nvme_multiply(powers[k][entries - 1], step);
    }
    return powers;
}

std::uint64_t times_zero_bytes(std::uint64_t residue, std::uint64_t length) {
    static const Powers kPowers = make_powers();
    if (residue == 0) return 0;
    unsigned bits = kFirstBits;
    for (std::size_t k = 0; length != 0; ++k) {
        const std::size_t digit = length & ((1u << bits) - 1);
        if (digit != 0) residue = kernels::active().crc64nvme_multiply(residue, kPowers[k][digit]);
        length >>= bits;
        bits = kBits;
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
