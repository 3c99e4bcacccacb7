#include "dwcp/checksum/xxh.hpp"

#include "bytes.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::checksum {

std::uint32_t xxh32(std::span<const std::byte> data, std::uint32_t seed) {
    return kernels::active().xxh32(seed, as_u8(data.data()), data.size());
}

std::uint64_t xxh3_64(std::span<const std::byte> data, std::uint64_t seed) {
    return kernels::active().xxh3_64(seed, as_u8(data.data()), data.size());
}

Hash128 xxh3_128(std::span<const std::byte> data, std::uint64_t seed) {
    std::uint64_t low_high[2];
    kernels::active().xxh3_128(seed, as_u8(data.data()), data.size(), low_high);
    return {low_high[0], low_high[1]};
}

}  // namespace dwcp::checksum
