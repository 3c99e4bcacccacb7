// A rolling hash: of the last `window` bytes, brought up to date byte by byte in constant time
// (R. Karp, M. Rabin, "Efficient Randomized Pattern-Matching Algorithms", 1987).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dwcp::checksum {

// With M = 6364136223846793005 and the last n bytes b[1] .. b[n], n up to the window,
//
//     value = sum of (b[i] + 1) * M^(n-i)   modulo 2^64
//
// so that order counts, and so do zeros. The low bits mix little, because nothing carries down:
// take high ones where few are needed. Against an adversary it is no protection. An object is for
// one thread at a time.
class RollingHash {
  public:
    static constexpr std::size_t kWindowMax = std::size_t{1} << 30;

    // Throws std::invalid_argument unless 1 <= window <= 2^30 bytes.
    explicit RollingHash(std::size_t window);

    [[nodiscard]] std::size_t window() const noexcept { return window_; }
    // 0 before the first byte; of fewer bytes than the window before it is full.
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

    void update(std::byte byte) noexcept;
    // update() with each byte; values[i], where values are wanted, is the value after byte i.
    // Throws std::invalid_argument when `values` is neither empty nor as long as `data`.
    void scan(std::span<const std::byte> data, std::span<std::uint64_t> values);
    // As new.
    void reset() noexcept;

  private:
    void keep(std::span<const std::byte> data) noexcept;

    std::size_t window_;
    // M^window: what has become of the byte that leaves.
    std::uint64_t leaving_;
    std::uint64_t value_ = 0;
    // The window as a ring: what was read last ends before next_.
    std::vector<std::byte> ring_;
    std::size_t next_ = 0;
    bool full_ = false;
};

}  // namespace dwcp::checksum
