#include "dwcp/os/reserved_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "os/pages.hpp"
#include "os/placing.hpp"

namespace dwcp::os {

ReservedMemory::ReservedMemory(std::size_t size, std::size_t size_min) {
    while (!reserve(up_to(size, kAlignment))) {
        if (size <= size_min) {
            throw std::system_error(
                errno, std::generic_category(),
                "mmap of addresses for memory: raise the limit of address space (ulimit -v)");
        }
        size = std::max(size / 2, size_min);
    }
}

bool ReservedMemory::reserve(std::size_t size) noexcept {
    data_ = map_aligned(size, kAlignment, PROT_NONE, MAP_NORESERVE);
    if (data_ == nullptr) return false;
    size_ = size;
    return true;
}

ReservedMemory::~ReservedMemory() {
    munmap(data_, size_);
}

bool ReservedMemory::use(std::size_t place, std::size_t size) noexcept {
    return mprotect(data_ + place, size, PROT_READ | PROT_WRITE) == 0;
}

bool ReservedMemory::prefer_huge_pages(std::size_t place, std::size_t size) noexcept {
    return os::prefer_huge_pages({data_ + place, size});
}

void ReservedMemory::discard(std::size_t place, std::size_t size) noexcept {
    madvise(data_ + place, size, MADV_DONTNEED);
}

}  // namespace dwcp::os
