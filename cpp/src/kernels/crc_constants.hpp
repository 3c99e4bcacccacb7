// Arithmetic modulo the CRC polynomials, at compile time: every folding constant and table below
// is derived here from the polynomial alone.
//
// All residues are bit-reflected 64-bit registers: bit i is the coefficient of x^(63-i). A CRC of
// 32 bits uses the upper half (coefficients x^31 .. x^0).
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwcp::kernels {

template <typename Register>
struct Slices {
    Register tables[8][256];
};

// Defined once, in crc_tables.cpp.
extern const Slices<std::uint64_t> crc64nvme_slices;
extern const Slices<std::uint32_t> crc32_slices;
extern const Slices<std::uint32_t> crc32c_slices;

namespace {

// Reflected polynomial without its leading term.
struct Crc64Nvme {
    static constexpr unsigned kBits = 64;
    static constexpr std::uint64_t kPoly = 0x9A6C9329AC4BC9B5u;
};
struct Crc32 {
    static constexpr unsigned kBits = 32;
    static constexpr std::uint64_t kPoly = 0xEDB88320u;
};
struct Crc32C {
    static constexpr unsigned kBits = 32;
    static constexpr std::uint64_t kPoly = 0x82F63B78u;
};

// residue * x mod P, the residue held in the low kBits bits of the register.
template <typename Crc>
constexpr std::uint64_t times_x(std::uint64_t residue) {
    return (residue >> 1) ^ ((residue & 1) != 0 ? Crc::kPoly : 0);
}

// x^exponent mod P, as a 64-bit reflected register.
template <typename Crc>
constexpr std::uint64_t power_of_x(unsigned exponent) {
    std::uint64_t residue = std::uint64_t{1} << (Crc::kBits - 1);
    for (unsigned i = 0; i < exponent; ++i) residue = times_x<Crc>(residue);
    return residue << (64 - Crc::kBits);
}

// floor(x^128 / P) without its leading term x^64, reflected; P of degree 64.
template <typename Crc>
constexpr std::uint64_t barrett_quotient() {
    static_assert(Crc::kBits == 64);
    // Long division: the remainder starts as x^64 mod P times x^64; each step emits one bit of the
    // quotient, from x^63 down.
    std::uint64_t remainder = Crc::kPoly;
    std::uint64_t quotient = 0;
    for (unsigned i = 0; i < 64; ++i) {
        quotient |= (remainder & 1) << i;
        // Reflected register: the coefficient of x^63 is bit 0.
        remainder = times_x<Crc>(remainder);
    }
    return quotient;
}

// A carry-less product of two reflected registers comes out multiplied by x, which the exponents
// below take into account. Folding a 128-bit lane over `bits` bits of message multiplies its first
// half by x^(bits+64) and its second half by x^bits.
template <typename Crc, unsigned bits>
struct Fold {
    static constexpr std::uint64_t kFirst = power_of_x<Crc>(bits + 63);
    static constexpr std::uint64_t kSecond = power_of_x<Crc>(bits - 1);
};

// slices[k][b]: register after byte b and k zero bytes, from a zero register.
template <typename Crc, typename Register>
constexpr Slices<Register> make_slices() {
    Slices<Register> slices{};
    for (unsigned b = 0; b < 256; ++b) {
        std::uint64_t residue = b;
        for (unsigned bit = 0; bit < 8; ++bit) residue = times_x<Crc>(residue);
        slices.tables[0][b] = static_cast<Register>(residue);
    }
    for (unsigned k = 1; k < 8; ++k) {
        for (unsigned b = 0; b < 256; ++b) {
            const Register before = slices.tables[k - 1][b];
            slices.tables[k][b] =
                static_cast<Register>((before >> 8) ^ slices.tables[0][before & 0xFF]);
        }
    }
    return slices;
}

}  // namespace

}  // namespace dwcp::kernels
