// What the kernel is told about memory that will be used.
#pragma once

#include <cstddef>
#include <span>

namespace dwcp::os {

// Tells the kernel that the bytes, which must be mapped, will be read soon: of a file that is
// mapped it begins to read what is not in memory (madvise(2), MADV_WILLNEED). Whole pages; it waits
// for no more than the kernel needs to take the request. Returns 0, or the errno of the kernel,
// which then does without.
[[nodiscard]] int will_need(std::span<const std::byte> bytes) noexcept;

}  // namespace dwcp::os
