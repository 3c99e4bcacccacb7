// What a Checksum keeps between two pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dwcp/checksum/checksum.hpp"

namespace dwcp::checksum {

class Checksum::Stream {
  public:
    virtual ~Stream() = default;
    virtual void update(std::span<const std::byte> data) noexcept = 0;
    virtual void reset(std::uint64_t seed) noexcept = 0;
    [[nodiscard]] virtual Hash128 value() const noexcept = 0;
    [[nodiscard]] virtual std::unique_ptr<Stream> clone() const = 0;

  protected:
    Stream() = default;
    Stream(const Stream&) = default;
    Stream& operator=(const Stream&) = default;
};

// Streams of XXH32 and XXH3; nullptr for other algorithms.
std::unique_ptr<Checksum::Stream> make_xxh_stream(Algorithm algorithm);

}  // namespace dwcp::checksum
