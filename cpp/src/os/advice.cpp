#include "dwcp/os/advice.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "dwcp/os/machine.hpp"

namespace dwcp::os {

int will_need(std::span<const std::byte> bytes) noexcept {
    if (bytes.empty()) return 0;
    // From the begin of the page, which holds one of the bytes and so is mapped as they are.
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
    const std::uintptr_t page = begin / page_bytes() * page_bytes();
    void* const place = const_cast<std::byte*>(bytes.data()) - (begin - page);
    return madvise(place, bytes.size() + (begin - page), MADV_WILLNEED) == 0 ? 0 : errno;
}

}  // namespace dwcp::os
