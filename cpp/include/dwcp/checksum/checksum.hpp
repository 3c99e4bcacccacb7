// All checksums by name, and one class that takes its data in pieces.
//
// The functions may be called from any thread; an object of Checksum by one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dwcp/checksum/xxh.hpp"

namespace dwcp::checksum {

enum class Algorithm : std::uint8_t {
    kCrc32,
    kCrc32C,
    kCrc64Nvme,
    kAdler32,
    kFletcher32,
    kXxh32,
    kXxh3_64,
    kXxh3_128,
};

inline constexpr std::array kAlgorithms = {
    Algorithm::kCrc32,      Algorithm::kCrc32C, Algorithm::kCrc64Nvme, Algorithm::kAdler32,
    Algorithm::kFletcher32, Algorithm::kXxh32,  Algorithm::kXxh3_64,   Algorithm::kXxh3_128,
};

// The name of the one-shot function: "crc32", "xxh3_64".
[[nodiscard]] std::string_view name(Algorithm algorithm) noexcept;

// The algorithm of that name. Throws std::invalid_argument listing the choices.
[[nodiscard]] Algorithm parse(std::string_view name);

// Length of the digest: 4, 8 or 16.
[[nodiscard]] std::size_t digest_bytes(Algorithm algorithm) noexcept;

// How many bytes the definition of the algorithm takes at a time: 1 for CRCs and Adler-32, 2 for
// Fletcher-32, 16 for XXH32, 64 for XXH3.
[[nodiscard]] std::size_t block_bytes(Algorithm algorithm) noexcept;

// Largest seed: 0 for the algorithms that have none.
[[nodiscard]] std::uint64_t seed_max(Algorithm algorithm) noexcept;

// Checksum of `data`, from the standard initial value. All but XXH3-128 have high64 == 0.
[[nodiscard]] Hash128 compute(Algorithm algorithm, std::span<const std::byte> data);

// True if and only if `data` has the checksum `expected`. A value that the algorithm cannot yield
// is never matched.
[[nodiscard]] bool verify(Algorithm algorithm, std::span<const std::byte> data, Hash128 expected);

// A checksum of data that come in pieces. A value: copies go their own ways. A moved-from object
// can only be assigned to or destroyed.
class Checksum {
  public:
    // Throws std::invalid_argument when `seed` is more than seed_max(algorithm).
    explicit Checksum(Algorithm algorithm, std::uint64_t seed = 0);
    Checksum(const Checksum& other);
    Checksum& operator=(const Checksum& other);
    Checksum(Checksum&&) noexcept;
    Checksum& operator=(Checksum&&) noexcept;
    ~Checksum();

    // Pieces of any length; the result only depends on all of them in order.
    void update(std::span<const std::byte> data) noexcept;

    // As for a new object with the same algorithm and seed.
    void reset() noexcept;

    // Checksum of all data so far; more may follow.
    [[nodiscard]] Hash128 value() const noexcept;

    // The same, big-endian: the canonical form of zlib, RFC 1950 and xxHash.
    [[nodiscard]] std::vector<std::byte> digest() const;

    [[nodiscard]] Algorithm algorithm() const noexcept { return algorithm_; }
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

    // State between two pieces, one class for each family; see checksum.cpp.
    class Stream;

  private:
    Algorithm algorithm_;
    std::uint64_t seed_;
    std::unique_ptr<Stream> stream_;
};

}  // namespace dwcp::checksum
