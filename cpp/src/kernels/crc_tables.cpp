#include "kernels/crc_constants.hpp"

namespace dwcp::kernels {

constexpr Slices<std::uint64_t> crc64nvme_slices = make_slices<Crc64Nvme, std::uint64_t>();
constexpr Slices<std::uint32_t> crc32_slices = make_slices<Crc32, std::uint32_t>();
constexpr Slices<std::uint32_t> crc32c_slices = make_slices<Crc32C, std::uint32_t>();

}  // namespace dwcp::kernels
