#include "dwcp/checksum/adler.hpp"

#include "bytes.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::checksum {

namespace {

constexpr std::uint32_t kModulus = 65521;

// The sum of the bytes and the sum of those sums.
struct Sums {
    std::uint32_t a;
    std::uint32_t b;
};

constexpr Sums reduced(std::uint32_t value) {
    return {(value & 0xFFFF) % kModulus, (value >> 16) % kModulus};
}

}  // namespace

std::uint32_t adler32(std::span<const std::byte> data, std::uint32_t value) {
    const Sums sums = reduced(value);
    return kernels::active().adler32(sums.b << 16 | sums.a, as_u8(data.data()), data.size());
}

std::uint32_t adler32_combine(std::uint32_t adler1, std::uint32_t adler2, std::uint64_t length2) {
    const Sums first = reduced(adler1);
    const Sums second = reduced(adler2);
    // B's sums began at a = 1 and not at first.a: each of its bytes added first.a - 1 too little to
    // b. All terms are kept positive.
    const std::uint32_t missing = first.a + kModulus - 1;
    const std::uint64_t a = std::uint64_t{second.a} + missing;
    const std::uint64_t b = std::uint64_t{first.b} + second.b + length2 % kModulus * missing;
    return static_cast<std::uint32_t>(b % kModulus << 16 | a % kModulus);
}

}  // namespace dwcp::checksum
