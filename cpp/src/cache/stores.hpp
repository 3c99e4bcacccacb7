// Which stores a call uses.
#pragma once

#include <cstddef>

#include "dwcp/cache/copy.hpp"

namespace dwcp::cache {

// Whether a call that reads and writes so many bytes altogether goes past the caches.
[[nodiscard]] bool goes_past_caches(Stores stores, std::size_t bytes);

}  // namespace dwcp::cache
