// Which stores a call writes with.
#pragma once

namespace dwcp::cache {

// What was written is there for other threads once a call returns, whatever the stores.
enum class Stores {
    kBySize,       // past the caches from nontemporal_bytes_min() on
    kOrdinary,     // as memcpy and memset
    kNontemporal,  // past the caches, where the instruction set in use has such stores
};

}  // namespace dwcp::cache
