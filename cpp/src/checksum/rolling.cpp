#include "dwcp/checksum/rolling.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace dwcp::checksum {

namespace {

// D. Knuth's multiplier for MMIX: 5 modulo 8, so that its powers repeat after 2^62 only.
constexpr std::uint64_t kMultiplier = 6364136223846793005u;

std::uint64_t power(std::uint64_t base, std::size_t exponent) {
    std::uint64_t result = 1;
    for (; exponent != 0; exponent >>= 1, base *= base) {
        if ((exponent & 1) != 0) result *= base;
    }
    return result;
}

std::uint64_t term(std::byte byte) {
    return static_cast<std::uint64_t>(byte) + 1;
}

}  // namespace

RollingHash::RollingHash(std::size_t window) : window_(window) {
    if (window < 1 || window > kWindowMax) {
        throw std::invalid_argument("RollingHash: window must be from 1 to 1073741824 bytes, not " +
                                    std::to_string(window));
    }
    leaving_ = power(kMultiplier, window);
    ring_.resize(window);
}

void RollingHash::update(std::byte byte) noexcept {
    value_ = value_ * kMultiplier + term(byte);
    if (full_) value_ -= term(ring_[next_]) * leaving_;
    keep({&byte, 1});
}

void RollingHash::scan(std::span<const std::byte> data, std::span<std::uint64_t> values) {
    if (!values.empty() && values.size() != data.size()) {
        throw std::invalid_argument("RollingHash: values must have " + std::to_string(data.size()) +
                                    " entries, one for each byte, not " +
                                    std::to_string(values.size()));
    }
    // Byte by byte as long as bytes of earlier calls leave the window.
    std::size_t at = 0;
    for (; at < std::min(window_, data.size()); ++at) {
        update(data[at]);
        if (!values.empty()) values[at] = value_;
    }
    if (at == data.size()) return;
    constexpr std::uint64_t kSquare = kMultiplier * kMultiplier;
    constexpr std::uint64_t kCube = kSquare * kMultiplier;
    constexpr std::uint64_t kFourth = kSquare * kSquare;
    const auto change = [&](std::size_t i) {
        return term(data[i]) - term(data[i - window_]) * leaving_;
    };
    const std::size_t first = at;
    // Four at a time: of the products that wait for each other there is one for four bytes.
    for (; at + 4 <= data.size(); at += 4) {
        const std::uint64_t one = change(at);
        const std::uint64_t two = one * kMultiplier + change(at + 1);
        const std::uint64_t three = two * kMultiplier + change(at + 2);
        const std::uint64_t four = three * kMultiplier + change(at + 3);
        if (!values.empty()) {
            values[at] = value_ * kMultiplier + one;
            values[at + 1] = value_ * kSquare + two;
            values[at + 2] = value_ * kCube + three;
            values[at + 3] = value_ * kFourth + four;
        }
        value_ = value_ * kFourth + four;
    }
    for (; at < data.size(); ++at) {
        value_ = value_ * kMultiplier + change(at);
        if (!values.empty()) values[at] = value_;
    }
    const std::size_t fresh = std::min(window_, data.size() - first);
    keep(data.last(fresh));
}

void RollingHash::reset() noexcept {
    value_ = 0;
    next_ = 0;
    full_ = false;
}

// At most a window of bytes.
void RollingHash::keep(std::span<const std::byte> data) noexcept {
    const std::size_t front = std::min(data.size(), window_ - next_);
    std::copy_n(data.begin(), front, ring_.begin() + static_cast<std::ptrdiff_t>(next_));
    std::copy(data.begin() + static_cast<std::ptrdiff_t>(front), data.end(), ring_.begin());
    full_ = full_ || next_ + data.size() >= window_;
    next_ = (next_ + data.size()) % window_;
}

}  // namespace dwcp::checksum
