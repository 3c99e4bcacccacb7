// What the kernel is told about how memory will be used.
#pragma once

#include <cstddef>
#include <span>

namespace dwcp::os {

enum class Advice {
    kNormal,      // nothing is known
    kSequential,  // from begin to end: it reads more ahead of a mapped file
    kWillNeed,    // soon: of a mapped file it begins to read what is not in memory
};

// madvise(2) for the whole pages that hold the bytes, which must be mapped. It waits for no more
// than the kernel needs to take the request. Returns 0, or the errno of the kernel, which then does
// without.
[[nodiscard]] int advise(std::span<const std::byte> bytes, Advice advice) noexcept;

}  // namespace dwcp::os
