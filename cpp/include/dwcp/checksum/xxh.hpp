// XXH32 and XXH3 (Y. Collet, "xxHash fast digest algorithm" and its library libxxhash 0.8).
//
// All functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::checksum {

struct Hash128 {
    std::uint64_t low64 = 0;
    std::uint64_t high64 = 0;
    friend bool operator==(const Hash128&, const Hash128&) = default;
};

[[nodiscard]] std::uint32_t xxh32(std::span<const std::byte> data, std::uint32_t seed = 0);
[[nodiscard]] std::uint64_t xxh3_64(std::span<const std::byte> data, std::uint64_t seed = 0);
[[nodiscard]] Hash128 xxh3_128(std::span<const std::byte> data, std::uint64_t seed = 0);

}  // namespace dwcp::checksum
