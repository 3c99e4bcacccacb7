// Arithmetic modulo the CRC polynomials, at compile time: every folding constant and table is
// derived here from the polynomial alone.
//
// Residues are bit-reflected 64-bit registers: bit i is the coefficient of x^(63-i). A residue
// modulo a polynomial of degree 32 uses the upper half (coefficients x^31 .. x^0). The same
// polynomial times x^32 has degree 64; modulo that "wide" one, a residue is a multiple of x^32 and
// so uses the lower half, which is where a CRC register of 32 bits has its bits.
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

// residue * x, the residue held in the low kBits bits of the register; also modulo the wide
// polynomial, with all 64 bits of the register.
template <typename Crc>
constexpr std::uint64_t times_x(std::uint64_t residue) {
    return (residue >> 1) ^ ((residue & 1) != 0 ? Crc::kPoly : 0);
}

// Product of residues, both and the result held in the low kBits bits: Horner's rule from the
// highest coefficient of a, which is bit 0.
template <typename Crc>
constexpr std::uint64_t multiply_by_bits(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product = 0;
    for (unsigned i = 0; i < Crc::kBits; ++i) {
        product = times_x<Crc>(product) ^ (((a >> i) & 1) != 0 ? b : 0);
    }
    return product;
}

// x^exponent in the low kBits bits. An exponent of -1 gives the inverse of x: the step of times_x
// that leads to 1, undone.
template <typename Crc>
constexpr std::uint64_t power_of_x_low(std::int64_t exponent) {
    constexpr std::uint64_t kOne = std::uint64_t{1} << (Crc::kBits - 1);
    if (exponent < 0) return ((kOne ^ Crc::kPoly) << 1) | 1;
    std::uint64_t power = kOne;
    std::uint64_t square = times_x<Crc>(kOne);
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0) power = multiply_by_bits<Crc>(power, square);
        square = multiply_by_bits<Crc>(square, square);
    }
    return power;
}

// x^exponent mod P.
template <typename Crc>
constexpr std::uint64_t power_of_x(std::int64_t exponent) {
    return power_of_x_low<Crc>(exponent) << (64 - Crc::kBits);
}

// x^exponent modulo the wide polynomial.
template <typename Crc>
constexpr std::uint64_t wide_power_of_x(unsigned exponent) {
    std::uint64_t residue = std::uint64_t{1} << 63;
    for (unsigned i = 0; i < exponent; ++i) residue = times_x<Crc>(residue);
    return residue;
}

// floor(x^128 / W) without its leading term x^64, reflected; W is the wide polynomial.
template <typename Crc>
constexpr std::uint64_t barrett_quotient() {
    // Long division: the remainder starts as x^64 mod W times x^64; each step emits one bit of the
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
    static constexpr std::uint64_t kSecond = power_of_x<Crc>(std::int64_t{bits} - 1);
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
