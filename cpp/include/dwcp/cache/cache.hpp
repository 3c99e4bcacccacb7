// Memory that is fetched before it is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::cache {

enum class Access { kRead, kWrite };
// How near to the processor: 3 is the first level, 0 for what is used once only.
enum class Locality : int { kOnce = 0, kLow = 1, kMiddle = 2, kHigh = 3 };

inline constexpr std::size_t kLineBytes = 64;

// Asks the processor for the lines that hold the bytes; it may ignore that. Never fails, whatever
// the address. Returns at once: the fetching goes on meanwhile.
void prefetch(std::span<const std::byte> bytes, Access access = Access::kRead,
              Locality locality = Locality::kHigh) noexcept;

// Copies rows of a table in the order of their numbers, fetching those to come meanwhile: row
// rows[i] of `row_bytes` from `table` to the i-th of `out`. Throws std::invalid_argument, having
// written nothing, for a row that is not there or an `out` of another size. `out` must not overlap
// the table. The distance at which rows are fetched was tuned on random rows of 64 bytes.
void gather(std::span<const std::byte> table, std::size_t row_bytes,
            std::span<const std::int64_t> rows, std::span<std::byte> out);

}  // namespace dwcp::cache
