#include "dwcp/os/reserved_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace dwcp::os {

namespace {

std::size_t up_to(std::size_t size, std::size_t alignment) noexcept {
    return (size + alignment - 1) / alignment * alignment;
}

}  // namespace

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
    // More, so that a part of it begins at a multiple; the rest is given back.
    const std::size_t more = size + kAlignment;
    void* const place =
        mmap(nullptr, more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) return false;
    auto* const begin = static_cast<std::byte*>(place);
    const std::size_t before = up_to(reinterpret_cast<std::uintptr_t>(begin), kAlignment) -
                               reinterpret_cast<std::uintptr_t>(begin);
    if (before > 0) munmap(begin, before);
    munmap(begin + before + size, more - before - size);
    data_ = begin + before;
    size_ = size;
    return true;
}

ReservedMemory::~ReservedMemory() {
    munmap(data_, size_);
}

bool ReservedMemory::use(std::size_t place, std::size_t size) noexcept {
    return mprotect(data_ + place, size, PROT_READ | PROT_WRITE) == 0;
}

void ReservedMemory::prefer_huge_pages(std::size_t place, std::size_t size) noexcept {
    madvise(data_ + place, size, MADV_HUGEPAGE);
}

void ReservedMemory::discard(std::size_t place, std::size_t size) noexcept {
    madvise(data_ + place, size, MADV_DONTNEED);
}

}  // namespace dwcp::os
