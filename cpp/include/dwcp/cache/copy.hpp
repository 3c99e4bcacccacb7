// Copying and filling whose stores go past the caches where they would only drive out other data.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "dwcp/cache/stores.hpp"

namespace dwcp::cache {

// All may be called from any thread.

// How much a call must read and write altogether, in bytes, to go past the caches by itself: twice
// the length for copy(), the length for fill(), four times that of its result for gather(). It is
// the size of the last-level cache as the system reports it, but from 1 MiB to 192 MiB: on virtual
// machines that size is often that of the whole processor, of which a guest never has so much.
// Empty where the instruction set in use has no such stores (scalar, neon): then all stores are
// ordinary ones.
[[nodiscard]] std::optional<std::size_t> nontemporal_bytes_min();

// Whether the processor can send lines back out of the caches of its core (CLDEMOTE of x86-64) and
// the instruction set in use has non-temporal stores.
[[nodiscard]] bool can_demote() noexcept;

// dst = src. Whatever the stores, reading the source takes it through the second-level cache, and
// on its way it drives out what is there. With `demote_source` its lines are sent on as soon as
// they were copied, so that other data stay, which takes about twice as long; the stores are
// non-temporal ones then. It does nothing unless can_demote().
//
// Does nothing when dst is src exactly. Throws std::invalid_argument when the lengths differ, when
// dst overlaps src otherwise, and for Stores::kOrdinary with demote_source.
void copy(std::span<std::byte> dst, std::span<const std::byte> src, Stores stores = Stores::kBySize,
          bool demote_source = false);

// Each byte of dst = value.
void fill(std::span<std::byte> dst, std::byte value, Stores stores = Stores::kBySize);

// dst = the pattern, over and over. Throws std::invalid_argument unless it has a power of two of
// bytes, 64 at most, of which the length of dst is a multiple.
void fill(std::span<std::byte> dst, std::span<const std::byte> pattern,
          Stores stores = Stores::kBySize);

}  // namespace dwcp::cache
