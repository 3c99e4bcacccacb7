#include "dwcp/os/advice.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "dwcp/os/machine.hpp"

namespace dwcp::os {

namespace {

int number_of(Advice advice) noexcept {
    switch (advice) {
        case Advice::kSequential:
            return MADV_SEQUENTIAL;
        case Advice::kWillNeed:
            return MADV_WILLNEED;
        case Advice::kNormal:
            break;
    }
    return MADV_NORMAL;
}

}  // namespace

int advise(std::span<const std::byte> bytes, Advice advice) noexcept {
    if (bytes.empty()) return 0;
    // From the begin of the page, which holds one of the bytes and so is mapped as they are.
    const std::size_t before = reinterpret_cast<std::uintptr_t>(bytes.data()) % page_bytes();
    void* const place = const_cast<std::byte*>(bytes.data()) - before;
    return madvise(place, bytes.size() + before, number_of(advice)) == 0 ? 0 : errno;
}

}  // namespace dwcp::os
