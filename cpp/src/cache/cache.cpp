#include "dwcp/cache/cache.hpp"

#include "cache/fetch.hpp"

namespace dwcp::cache {

namespace {

template <Access kAccess>
void fetch(std::span<const std::byte> bytes, Locality locality) noexcept {
    switch (locality) {
        case Locality::kOnce:
            return fetch_lines<kAccess, Locality::kOnce>(bytes);
        case Locality::kLow:
            return fetch_lines<kAccess, Locality::kLow>(bytes);
        case Locality::kMiddle:
            return fetch_lines<kAccess, Locality::kMiddle>(bytes);
        case Locality::kHigh:
            return fetch_lines<kAccess, Locality::kHigh>(bytes);
    }
}

}  // namespace

void prefetch(std::span<const std::byte> bytes, Access access, Locality locality) noexcept {
    if (access == Access::kWrite) return fetch<Access::kWrite>(bytes, locality);
    fetch<Access::kRead>(bytes, locality);
}

}  // namespace dwcp::cache
