#include "dwcp/checksum/crc.hpp"

#include <array>
#include <limits>

#include "bytes.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::checksum {

namespace {

// What tells the three CRCs apart: their registers and their kernels.
struct Crc32 {
    using Register = std::uint32_t;
    static constexpr auto kUpdate = &kernels::Table::crc32;
    static constexpr auto kMultiply = &kernels::Table::crc32_multiply;
};
struct Crc32C {
    using Register = std::uint32_t;
    static constexpr auto kUpdate = &kernels::Table::crc32c;
    static constexpr auto kMultiply = &kernels::Table::crc32c_multiply;
};
struct Crc64Nvme {
    using Register = std::uint64_t;
    static constexpr auto kUpdate = &kernels::Table::crc64nvme;
    static constexpr auto kMultiply = &kernels::Table::crc64nvme_multiply;
};

template <typename Crc>
using Register = typename Crc::Register;

template <typename Crc>
Register<Crc> multiply(Register<Crc> a, Register<Crc> b) {
    return (kernels::active().*Crc::kMultiply)(a, b);
}

// x^(8n) mod P as a product of one entry for each digit of n. The first digit has six bits and the
// others eight, so that whole lines of 64 bytes inside a block of 1 MiB take two entries at most.
constexpr unsigned kFirstBits = 6;
constexpr unsigned kBits = 8;
constexpr std::size_t kDigits = 9;
template <typename Crc>
using Powers = std::array<std::array<Register<Crc>, 1u << kBits>, kDigits>;

template <typename Crc>
Powers<Crc> make_powers() {
    // Registers are bit-reflected: the topmost bit is x^0.
    constexpr Register<Crc> kOne = Register<Crc>{1}
                                   << (std::numeric_limits<Register<Crc>>::digits - 1);
    Powers<Crc> powers{};
    Register<Crc> step = kOne >> 8;
    for (std::size_t k = 0; k < kDigits; ++k) {
        const std::size_t entries = std::size_t{1} << (k == 0 ? kFirstBits : kBits);
        powers[k][0] = kOne;
        for (std::size_t digit = 1; digit < entries; ++digit) {
            powers[k][digit] = multiply<Crc>(powers[k][digit - 1], step);
        }
        step = multiply<Crc>(powers[k][entries - 1], step);
    }
    return powers;
}

template <typename Crc>
Register<Crc> times_zero_bytes(Register<Crc> residue, std::uint64_t length) {
    // Made by the first caller, while others wait.
    static const Powers<Crc> kPowers = make_powers<Crc>();
    if (residue == 0) return 0;
    unsigned bits = kFirstBits;
    for (std::size_t k = 0; length != 0; ++k) {
        const std::size_t digit = length & ((1u << bits) - 1);
        if (digit != 0) residue = multiply<Crc>(residue, kPowers[k][digit]);
        length >>= bits;
        bits = kBits;
    }
    return residue;
}

template <typename Crc>
Register<Crc> update(std::span<const std::byte> data, Register<Crc> value) {
    return ~(kernels::active().*Crc::kUpdate)(~value, as_u8(data.data()), data.size());
}

// The inversions before and after cancel each other out: what precedes B only adds its checksum
// times x^(8 * length2) to that of B.
template <typename Crc>
Register<Crc> combine(Register<Crc> crc1, Register<Crc> crc2, std::uint64_t length2) {
    return times_zero_bytes<Crc>(crc1, length2) ^ crc2;
}

template <typename Crc>
Register<Crc> append_zeros(Register<Crc> value, std::uint64_t length) {
    return ~times_zero_bytes<Crc>(~value, length);
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> data, std::uint32_t value) {
    return update<Crc32>(data, value);
}

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t value) {
    return update<Crc32C>(data, value);
}

std::uint64_t crc64nvme(std::span<const std::byte> data, std::uint64_t value) {
    return update<Crc64Nvme>(data, value);
}

std::uint32_t crc32_combine(std::uint32_t crc1, std::uint32_t crc2, std::uint64_t length2) {
    return combine<Crc32>(crc1, crc2, length2);
}

std::uint32_t crc32c_combine(std::uint32_t crc1, std::uint32_t crc2, std::uint64_t length2) {
    return combine<Crc32C>(crc1, crc2, length2);
}

std::uint64_t crc64nvme_combine(std::uint64_t crc1, std::uint64_t crc2, std::uint64_t length2) {
    return combine<Crc64Nvme>(crc1, crc2, length2);
}

std::uint32_t crc32_append_zeros(std::uint32_t value, std::uint64_t length) {
    return append_zeros<Crc32>(value, length);
}

std::uint32_t crc32c_append_zeros(std::uint32_t value, std::uint64_t length) {
    return append_zeros<Crc32C>(value, length);
}

std::uint64_t crc64nvme_append_zeros(std::uint64_t value, std::uint64_t length) {
    return append_zeros<Crc64Nvme>(value, length);
}

void LinearCrc64Nvme::update(std::span<const std::byte> data) noexcept {
    register_ = kernels::active().crc64nvme(register_, as_u8(data.data()), data.size());
}

void LinearCrc64Nvme::skip_zeros(std::uint64_t length) noexcept {
    register_ = times_zero_bytes<Crc64Nvme>(register_, length);
}

}  // namespace dwcp::checksum
