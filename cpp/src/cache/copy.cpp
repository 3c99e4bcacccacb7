#include "dwcp/cache/copy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "bytes.hpp"
#include "cache/stores.hpp"
#include "dwcp/cache/lines.hpp"
#include "dwcp/os/machine.hpp"
#include "kernels/dispatch.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dwcp::cache {

namespace {

// Real caches of one group of cores are not larger than this ...
constexpr std::size_t kCacheBytesMax = std::size_t{192} << 20;
// ... and last-level ones not smaller, so that short calls need not ask.
constexpr std::size_t kCacheBytesMin = std::size_t{1} << 20;

bool has_cldemote() noexcept {
#if defined(__x86_64__)
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    constexpr unsigned kBit = 1u << 25;  // of ECX, leaf 7
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kBit) != 0;
#else
    return false;
#endif
}

}  // namespace

std::optional<std::size_t> nontemporal_bytes_min() {
    if (!kernels::active().bypasses_caches) return std::nullopt;
    return std::clamp(os::last_level_cache_bytes(), kCacheBytesMin, kCacheBytesMax);
}

bool goes_past_caches(Stores stores, std::size_t bytes) {
    if (stores != Stores::kBySize) return stores == Stores::kNontemporal;
    if (bytes < kCacheBytesMin) return false;
    const auto bytes_min = nontemporal_bytes_min();
    return bytes_min && bytes >= *bytes_min;
}

bool can_demote() noexcept {
    static const bool kHas = has_cldemote();
    return kHas && kernels::active().bypasses_caches;
}

void copy(std::span<std::byte> dst, std::span<const std::byte> src, Stores stores,
          bool demote_source) {
    if (dst.size() != src.size()) {
        throw std::invalid_argument("copy: dst and src must have equal lengths, not " +
                                    std::to_string(dst.size()) + " and " +
                                    std::to_string(src.size()) + " bytes");
    }
    if (demote_source && stores == Stores::kOrdinary) {
        throw std::invalid_argument(
            "copy: nontemporal must not be false where the source is demoted");
    }
    if (dst.data() == src.data() || dst.empty()) return;
    if (overlap(dst, src)) {
        throw std::invalid_argument("copy: dst must be src exactly, or not overlap it");
    }
    const kernels::Table& kernels = kernels::active();
    if (demote_source) {
        const auto kernel = can_demote() ? kernels.copy_demoting : kernels.copy_streaming;
        kernel(as_u8(dst.data()), as_u8(src.data()), src.size());
    } else if (goes_past_caches(stores, 2 * src.size())) {
        kernels.copy_streaming(as_u8(dst.data()), as_u8(src.data()), src.size());
    } else {
        std::memcpy(dst.data(), src.data(), src.size());
    }
}

void fill(std::span<std::byte> dst, std::byte value, Stores stores) {
    if (goes_past_caches(stores, dst.size())) {
        cache::fill(dst, std::span(&value, 1), stores);
    } else if (!dst.empty()) {
        std::memset(dst.data(), std::to_integer<int>(value), dst.size());
    }
}

void fill(std::span<std::byte> dst, std::span<const std::byte> pattern, Stores stores) {
    if (!std::has_single_bit(pattern.size()) || pattern.size() > kLineBytes ||
        dst.size() % pattern.size() != 0) {
        throw std::invalid_argument(
            "fill: the pattern must have 1, 2, 4, 8, 16, 32 or 64 bytes of which dst has a "
            "multiple, but they have " +
            std::to_string(pattern.size()) + " and " + std::to_string(dst.size()) + " bytes");
    }
    if (dst.empty()) return;
    std::array<std::byte, kLineBytes> line;
    for (std::size_t i = 0; i < kLineBytes; ++i) line[i] = pattern[i % pattern.size()];
    const kernels::Table& kernels = kernels::active();
    const auto kernel =
        goes_past_caches(stores, dst.size()) ? kernels.fill_streaming : kernels.fill_lines;
    kernel(as_u8(dst.data()), as_u8(line.data()), dst.size());
}

}  // namespace dwcp::cache
