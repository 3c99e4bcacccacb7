// What the fuzz targets share: taking an input apart, findings, the tables of all instruction sets.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/dispatch.hpp"

// For references, whose loops would tell libFuzzer nothing and cost most of its time.
#define DWCP_NO_COVERAGE __attribute__((no_sanitize("coverage")))

namespace dwcp::fuzzing {

// Takes numbers off the front of an input; once it is used up they are zero.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

    template <std::unsigned_integral T>
    T take() {
        T value = 0;
        const auto from = take_bytes(sizeof value);
        if (!from.empty()) std::memcpy(&value, from.data(), from.size());
        return value;
    }
    // A number from 0 to bound - 1; bound is at most 2^32.
    std::size_t below(std::size_t bound) { return take<std::uint32_t>() % bound; }
    std::span<const std::uint8_t> take_bytes(std::size_t count) {
        const auto taken = bytes_.first(count < bytes_.size() ? count : bytes_.size());
        bytes_ = bytes_.subspan(taken.size());
        return taken;
    }
    std::span<const std::uint8_t> take_rest() { return take_bytes(bytes_.size()); }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }

  private:
    std::span<const std::uint8_t> bytes_;
};

// Ends the program unless `holds`; libFuzzer then keeps the input. ci/fuzz looks for the message.
inline void expect(bool holds, std::string_view what, std::string_view tier) {
    if (holds) return;
    std::fprintf(stderr, "finding: %.*s on %.*s\n", static_cast<int>(what.size()), what.data(),
                 static_cast<int>(tier.size()), tier.data());
    std::abort();
}

// Whether a planted mistake shows for these bytes on this instruction set: in the programs that are
// there to be caught, on the most capable one, for messages of more than a line with a certain
// first byte.
inline bool planted([[maybe_unused]] std::span<const std::uint8_t> data,
                    [[maybe_unused]] const kernels::TierInfo& tier) {
#if defined(DWCP_FUZZ_PLANTED)
    const kernels::TierInfo* best = nullptr;
    for (std::size_t i = 0; i < kernels::kTierCount; ++i) {
        if (kernels::tier(i).supported) best = &kernels::tier(i);
    }
    return &tier == best && data.size() > 64 && data[0] % 16 == 7;
#else
    return false;
#endif
}

// Each instruction set that this processor can run, the portable one first.
template <typename Body>
void for_each_tier(Body&& body) {
    for (std::size_t i = 0; i < kernels::kTierCount; ++i) {
        if (kernels::tier(i).supported) body(kernels::tier(i));
    }
}

// A copy of bytes `offset` bytes behind the start of an allocation that ends with them, so that
// the address sanitizer notices the first byte that is read behind it.
class Shifted {
  public:
    Shifted(std::span<const std::uint8_t> bytes, std::size_t offset)
        : offset_(offset), storage_(offset + bytes.size()) {
        if (!bytes.empty()) std::memcpy(data(), bytes.data(), bytes.size());
    }
    [[nodiscard]] std::uint8_t* data() { return storage_.data() + offset_; }
    [[nodiscard]] std::size_t size() const { return storage_.size() - offset_; }
    [[nodiscard]] std::span<std::uint8_t> span() { return std::span(storage_).subspan(offset_); }

  private:
    std::size_t offset_;
    std::vector<std::uint8_t> storage_;
};

// Lengths that short inputs cannot have, and kernels treat differently: the bytes again and again,
// each time combined with the number of the round, up to `size`.
DWCP_NO_COVERAGE inline std::vector<std::uint8_t> stretched(std::span<const std::uint8_t> bytes,
                                                            std::size_t size) {
    std::vector<std::uint8_t> longer;
    if (bytes.empty()) return longer;
    longer.reserve(size);
    for (std::uint8_t round = 0; longer.size() < size; ++round) {
        const std::size_t left = size - longer.size();
        for (const std::uint8_t byte : bytes.first(left < bytes.size() ? left : bytes.size())) {
            longer.push_back(byte ^ round);
        }
    }
    return longer;
}

}  // namespace dwcp::fuzzing
