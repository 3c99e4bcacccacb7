// Memory that is fetched before it is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dwcp/cache/lines.hpp"
#include "dwcp/cache/stores.hpp"

namespace dwcp::cache {

enum class Access { kRead, kWrite };
// How near to the processor: 3 is the first level, 0 for what is used once only.
enum class Locality : int { kOnce = 0, kLow = 1, kMiddle = 2, kHigh = 3 };

// Asks the processor for the lines that hold the bytes; it may ignore that. Never fails, whatever
// the address. Returns at once: the fetching goes on meanwhile.
void prefetch(std::span<const std::byte> bytes, Access access = Access::kRead,
              Locality locality = Locality::kHigh) noexcept;

// Copies rows of a table in the order of their numbers, fetching those to come meanwhile: row
// rows[i] of `row_bytes` from `table` to the i-th of `out`. Throws std::invalid_argument, having
// written nothing, for a row that is not there and an `out` that is of another size or overlaps the
// table. Rows of fewer than 64 bytes are written with ordinary stores in any case, and all had
// better be in new memory, whose pages the kernel clears when they are first written to. The
// distances at which rows are fetched were tuned on random rows of 16 to 1024 bytes.
void gather(std::span<const std::byte> table, std::size_t row_bytes,
            std::span<const std::int64_t> rows, std::span<std::byte> out,
            Stores stores = Stores::kBySize);
void gather(std::span<const std::byte> table, std::size_t row_bytes,
            std::span<const std::int32_t> rows, std::span<std::byte> out,
            Stores stores = Stores::kBySize);

// Copies pieces of `row_bytes` that lie `stride` bytes apart, fetching those to come meanwhile
// where the processor does not foresee the stride: the i-th piece of `out` is what begins at start
// + i * stride in `data`; the stride may be negative. Throws std::invalid_argument, having written
// nothing, when `out` is no whole number of pieces or overlaps `data`, or a piece is not within
// `data`.
void gather_strided(std::span<const std::byte> data, std::size_t start, std::ptrdiff_t stride,
                    std::size_t row_bytes, std::span<std::byte> out);

}  // namespace dwcp::cache
