#include "dwcp/cache/cache.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace dwcp::cache {

namespace {

// So many rows ahead: what a core keeps on its way at once, and some more.
constexpr std::size_t kRowsAhead = 24;
// Of longer rows the processor fetches the rest by itself.
constexpr std::size_t kFetchedBytesMax = 256;

template <Access kAccess, Locality kLocality>
void fetch(std::span<const std::byte> bytes) noexcept {
    for (std::size_t at = 0; at < bytes.size(); at += kLineBytes) {
        __builtin_prefetch(bytes.data() + at, kAccess == Access::kWrite ? 1 : 0,
                           static_cast<int>(kLocality));
    }
    // The last line, where the first does not begin with the bytes.
    if (!bytes.empty()) {
        __builtin_prefetch(&bytes.back(), kAccess == Access::kWrite ? 1 : 0,
                           static_cast<int>(kLocality));
    }
}

template <Access kAccess>
void fetch(std::span<const std::byte> bytes, Locality locality) noexcept {
    switch (locality) {
        case Locality::kOnce:
            return fetch<kAccess, Locality::kOnce>(bytes);
        case Locality::kLow:
            return fetch<kAccess, Locality::kLow>(bytes);
        case Locality::kMiddle:
            return fetch<kAccess, Locality::kMiddle>(bytes);
        case Locality::kHigh:
            return fetch<kAccess, Locality::kHigh>(bytes);
    }
}

void check_rows(std::span<const std::int64_t> rows, std::size_t count) {
    // Without branches, so that it costs next to nothing.
    std::uint64_t outside = 0;
    for (const std::int64_t row : rows) {
        outside |= static_cast<std::uint64_t>(static_cast<std::uint64_t>(row) >= count);
    }
    if (outside == 0) return;
    const auto wrong = std::find_if(rows.begin(), rows.end(), [&](std::int64_t row) {
        return static_cast<std::uint64_t>(row) >= count;
    });
    throw std::invalid_argument(
        "rows must be 0 to " + std::to_string(count) + " - 1, the rows of the table, but row " +
        std::to_string(wrong - rows.begin()) + " is " + std::to_string(*wrong));
}

// Of a size that the compiler knows, or 0.
template <std::size_t kRowBytes>
void gather_rows(const std::byte* table, std::size_t row_bytes, std::span<const std::int64_t> rows,
                 std::byte* out) noexcept {
    const std::size_t size = kRowBytes == 0 ? row_bytes : kRowBytes;
    const std::size_t fetched = std::min(size, kFetchedBytesMax);
    const auto place = [&](std::size_t i) {
        return table + static_cast<std::size_t>(rows[i]) * size;
    };
    const std::size_t begun = std::min(rows.size(), kRowsAhead);
    for (std::size_t i = 0; i < begun; ++i) {
        fetch<Access::kRead, Locality::kHigh>({place(i), fetched});
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i + kRowsAhead < rows.size()) {
            fetch<Access::kRead, Locality::kHigh>({place(i + kRowsAhead), fetched});
        }
        std::memcpy(out + i * size, place(i), size);
    }
}

}  // namespace

void prefetch(std::span<const std::byte> bytes, Access access, Locality locality) noexcept {
    if (access == Access::kWrite) return fetch<Access::kWrite>(bytes, locality);
    fetch<Access::kRead>(bytes, locality);
}

void gather(std::span<const std::byte> table, std::size_t row_bytes,
            std::span<const std::int64_t> rows, std::span<std::byte> out) {
    if (row_bytes == 0 || table.size() % row_bytes != 0) {
        throw std::invalid_argument("the table must be a number of rows of " +
                                    std::to_string(row_bytes) + " bytes, but has " +
                                    std::to_string(table.size()));
    }
    if (out.size() % row_bytes != 0 || out.size() / row_bytes != rows.size()) {
        throw std::invalid_argument("out must have " + std::to_string(rows.size()) + " rows of " +
                                    std::to_string(row_bytes) + " bytes, but has " +
                                    std::to_string(out.size()) + " bytes");
    }
    check_rows(rows, table.size() / row_bytes);
    switch (row_bytes) {
        case 8:
            return gather_rows<8>(table.data(), row_bytes, rows, out.data());
        case 16:
            return gather_rows<16>(table.data(), row_bytes, rows, out.data());
        case 32:
            return gather_rows<32>(table.data(), row_bytes, rows, out.data());
        case 64:
            return gather_rows<64>(table.data(), row_bytes, rows, out.data());
        case 128:
            return gather_rows<128>(table.data(), row_bytes, rows, out.data());
        default:
            return gather_rows<0>(table.data(), row_bytes, rows, out.data());
    }
}

}  // namespace dwcp::cache
