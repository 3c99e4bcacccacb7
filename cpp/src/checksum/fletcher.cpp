#include "dwcp/checksum/fletcher.hpp"

#include "bytes.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::checksum {

std::uint32_t fletcher32(std::span<const std::byte> data, std::uint32_t value) {
    constexpr std::uint32_t kModulus = 65535;
    const std::uint32_t a = (value & 0xFFFF) % kModulus;
    const std::uint32_t b = (value >> 16) % kModulus;
    return kernels::active().fletcher32(b << 16 | a, as_u8(data.data()), data.size());
}

}  // namespace dwcp::checksum
