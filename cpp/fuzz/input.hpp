// What the fuzz targets share: taking an input apart, and failing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "dwcp/isa/isa.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::fuzzing {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

    // A number below `bound`; zeros stand in for what the input lacks.
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(number()) % bound; }
    std::uint64_t number() {
        std::uint64_t value = 0;
        const std::size_t count = rest_.size() < sizeof value ? rest_.size() : sizeof value;
        std::memcpy(&value, rest_.data(), count);
        rest_ = rest_.subspan(count);
        return value;
    }
    [[nodiscard]] std::span<const std::uint8_t> rest() const { return rest_; }

  private:
    std::span<const std::uint8_t> rest_;
};

// The bytes in memory of their own, `offset` bytes behind its beginning: it ends where they end, so
// that the address sanitizer sees any access beyond.
class Copy {
  public:
    Copy(std::span<const std::uint8_t> bytes, std::size_t offset)
        : area_(std::make_unique<std::uint8_t[]>(offset + bytes.size())),
          bytes_(area_.get() + offset, bytes.size()) {
        if (!bytes.empty()) std::memcpy(bytes_.data(), bytes.data(), bytes.size());
    }
    [[nodiscard]] std::uint8_t* data() const { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }

  private:
    std::unique_ptr<std::uint8_t[]> area_;
    std::span<std::uint8_t> bytes_;
};

template <typename Value>
void require_equal(const char* what, const char* tier, const Value& found, const Value& expected) {
    if (found == expected) return;
    std::fprintf(stderr, "%s on %s differs\n", what, tier);
    std::abort();
}

// The body with the table of each instruction set that this processor has.
template <typename Body>
void for_each_tier(Body&& body) {
    for (std::size_t i = 0; i < kernels::kTierCount; ++i) {
        const kernels::TierInfo& tier = kernels::tier(i);
        if (tier.supported) body(*tier.table, tier.name);
    }
}

}  // namespace dwcp::fuzzing
