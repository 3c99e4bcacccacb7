#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "bytes.hpp"
#include "cache/stores.hpp"
#include "dwcp/cache/cache.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::cache {

namespace {

// Of longer rows the processor fetches the rest by itself.
constexpr std::size_t kFetchedBytesMax = 256;
// Short rows are fetched so many ahead to the second level, which has buffers for more of them on
// their way; long ones not so many, and to the first.
constexpr std::size_t kShortBytesMax = 128;
constexpr std::size_t kShortRowsAhead = 64;
constexpr std::size_t kLongRowsAhead = 24;
// Processors foresee strides up to this one.
constexpr std::size_t kForeseenBytesMax = 2048;
constexpr std::size_t kPiecesAhead = 32;

template <typename Number>
void check_rows(std::span<const Number> rows, std::size_t count) {
    // Beyond what a number can say no row is.
    constexpr std::uint64_t kMax = std::numeric_limits<Number>::max();
    const auto last = static_cast<Number>(std::min<std::uint64_t>(count - 1, kMax));
    // Without branches, in numbers whose sign bit says that one was below 0 or beyond the last: so
    // it costs next to nothing.
    Number outside = count == 0 ? Number{-1} : Number{0};
    using Unsigned = std::make_unsigned_t<Number>;
    for (const Number row : rows) {
        outside |=
            row | static_cast<Number>(static_cast<Unsigned>(last) - static_cast<Unsigned>(row));
    }
    if (outside >= 0 || rows.empty()) return;
    const auto wrong = std::find_if(rows.begin(), rows.end(), [&](Number row) {
        return row < 0 || static_cast<std::uint64_t>(row) >= count;
    });
    throw std::invalid_argument(
        "rows must be 0 to " + std::to_string(count) + " - 1, the rows of the table, but row " +
        std::to_string(wrong - rows.begin()) + " is " + std::to_string(*wrong));
}

// Copies `count` rows to `out`; the i-th is at place(i). Their size may be known to the compiler.
// Only lines that begin within a row from its begin on are asked for: one more costs more than it
// brings.
template <std::size_t kRowBytes, Locality kLocality, typename Place>
void copy_rows(std::size_t count, std::size_t row_bytes, std::size_t ahead, std::byte* out,
               Place&& place) noexcept {
    const std::size_t size = kRowBytes == 0 ? row_bytes : kRowBytes;
    const std::size_t fetched = std::min(size, kFetchedBytesMax);
    for (std::size_t i = 0; i < count; ++i) {
        if (ahead < count - i) {
            const std::byte* const next = place(i + ahead);
            for (std::size_t at = 0; at < fetched; at += kLineBytes) {
                __builtin_prefetch(next + at, 0, static_cast<int>(kLocality));
            }
        }
        std::memcpy(out + i * size, place(i), size);
    }
}

template <Locality kLocality, typename Place>
void copy_rows_of(std::size_t row_bytes, std::size_t count, std::size_t ahead, std::byte* out,
                  Place&& place) noexcept {
    switch (row_bytes) {
        case 4:
            return copy_rows<4, kLocality>(count, row_bytes, ahead, out, place);
        case 8:
            return copy_rows<8, kLocality>(count, row_bytes, ahead, out, place);
        case 16:
            return copy_rows<16, kLocality>(count, row_bytes, ahead, out, place);
        case 32:
            return copy_rows<32, kLocality>(count, row_bytes, ahead, out, place);
        case 64:
            return copy_rows<64, kLocality>(count, row_bytes, ahead, out, place);
        case 128:
            return copy_rows<128, kLocality>(count, row_bytes, ahead, out, place);
        default:
            return copy_rows<0, kLocality>(count, row_bytes, ahead, out, place);
    }
}

void stream_rows(std::span<const std::byte> table, std::size_t row_bytes,
                 std::span<const std::int64_t> rows, std::span<std::byte> out) {
    kernels::active().gather_streaming(as_u8(out.data()), as_u8(table.data()), row_bytes,
                                       rows.data(), out.size());
}
void stream_rows(std::span<const std::byte> table, std::size_t row_bytes,
                 std::span<const std::int32_t> rows, std::span<std::byte> out) {
    kernels::active().gather_streaming_narrow(as_u8(out.data()), as_u8(table.data()), row_bytes,
                                              rows.data(), out.size());
}

template <typename Number>
void gather_numbered(std::span<const std::byte> table, std::size_t row_bytes,
                     std::span<const Number> rows, std::span<std::byte> out, Stores stores) {
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
    if (overlap(out, table)) throw std::invalid_argument("out must not overlap the table");
    check_rows(rows, table.size() / row_bytes);
    // The table, read all over, leaves less of the caches to the result than the source of a copy.
    if (row_bytes >= kLineBytes && goes_past_caches(stores, 4 * out.size())) {
        stream_rows(table, row_bytes, rows, out);
        return;
    }
    const auto place = [=](std::size_t i) {
        return table.data() + static_cast<std::size_t>(rows[i]) * row_bytes;
    };
    if (row_bytes <= kShortBytesMax) {
        copy_rows_of<Locality::kMiddle>(row_bytes, rows.size(), kShortRowsAhead, out.data(), place);
    } else {
        copy_rows<0, Locality::kHigh>(rows.size(), row_bytes, kLongRowsAhead, out.data(), place);
    }
}

}  // namespace

void gather(std::span<const std::byte> table, std::size_t row_bytes,
            std::span<const std::int64_t> rows, std::span<std::byte> out, Stores stores) {
    gather_numbered(table, row_bytes, rows, out, stores);
}
void gather(std::span<const std::byte> table, std::size_t row_bytes,
            std::span<const std::int32_t> rows, std::span<std::byte> out, Stores stores) {
    gather_numbered(table, row_bytes, rows, out, stores);
}

void gather_strided(std::span<const std::byte> data, std::size_t start, std::ptrdiff_t stride,
                    std::size_t row_bytes, std::span<std::byte> out) {
    if (row_bytes == 0 || out.size() % row_bytes != 0) {
        throw std::invalid_argument("out must be a number of pieces of " +
                                    std::to_string(row_bytes) + " bytes, but has " +
                                    std::to_string(out.size()));
    }
    if (overlap(out, data)) throw std::invalid_argument("out must not overlap the data");
    const std::size_t count = out.size() / row_bytes;
    if (count == 0) return;
    // The last place of a piece is `room`; how many strides there are from the first to an end.
    const bool fits = row_bytes <= data.size() && start <= data.size() - row_bytes;
    const std::size_t room = fits ? data.size() - row_bytes : 0;
    const std::size_t step =
        stride < 0 ? 0 - static_cast<std::size_t>(stride) : static_cast<std::size_t>(stride);
    const std::size_t way = stride < 0 ? start : room - start;
    if (!fits || (step > 0 && count - 1 > way / step)) {
        throw std::invalid_argument(
            "data of " + std::to_string(data.size()) + " bytes do not have " +
            std::to_string(count) + " pieces of " + std::to_string(row_bytes) + " bytes from " +
            std::to_string(start) + " on, " + std::to_string(stride) + " bytes apart");
    }
    const bool fetched = step > kForeseenBytesMax && row_bytes <= kShortBytesMax;
    const std::size_t ahead = fetched ? kPiecesAhead : count;
    copy_rows_of<Locality::kHigh>(row_bytes, count, ahead, out.data(), [=](std::size_t i) {
        return data.data() +
               (static_cast<std::ptrdiff_t>(start) + static_cast<std::ptrdiff_t>(i) * stride);
    });
}

}  // namespace dwcp::cache
