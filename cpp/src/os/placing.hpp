// On which nodes and in which pages memory is to lie: what placed memory and pools ask the kernel
// for.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dwcp/os/placed_memory.hpp"

namespace dwcp::os {

// Whether the kernel knows memory nodes.
[[nodiscard]] bool has_numa() noexcept;

// Throws std::invalid_argument, naming the nodes that there are.
void check_nodes(const std::vector<int>& nodes);
// The same, and for more or fewer nodes than the placing takes.
void check_placing(Placing placing, const std::vector<int>& nodes);

// From here on pages that come to the range come from these nodes. Returns why not, where the
// kernel places none; an empty text when it does. Throws std::system_error.
[[nodiscard]] std::string place_pages(std::span<std::byte> range, Placing placing,
                                      const std::vector<int>& nodes);

// From here on the kernel may use huge pages for the range. False when it makes none.
bool prefer_huge_pages(std::span<std::byte> range) noexcept;
// From here on it uses none.
void keep_plain_pages(std::span<std::byte> range) noexcept;
// Where touching did not bring them, as under the setting `never`, asking does: makes huge pages of
// the plain ones that are there, if the kernel can (Linux 6.1 and later).
void collapse_pages(std::span<std::byte> range) noexcept;
// Touches the first page of each huge one of a range that begins with one, and of which no page is
// there, and asks for those that did not come whole.
void touch_huge_pages(std::span<std::byte> range) noexcept;
// How much of the range lies in huge pages just now, in bytes.
[[nodiscard]] std::size_t huge_bytes_in(std::span<const std::byte> range);

}  // namespace dwcp::os
