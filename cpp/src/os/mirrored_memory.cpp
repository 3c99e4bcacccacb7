#include "dwcp/os/mirrored_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "dwcp/os/machine.hpp"

namespace dwcp::os {

namespace {

constexpr std::size_t kSizeMax = std::size_t{1} << 46;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

struct Descriptor {
    int fd;
    ~Descriptor() { close(fd); }
};

}  // namespace

MirroredMemory::MirroredMemory(std::size_t size) {
    if (size < 1 || size > kSizeMax) {
        throw std::invalid_argument(
            "size of mirrored memory must be from 1 to 2^46 bytes, but is " + std::to_string(size));
    }
    size_ = std::bit_ceil(std::max(size, page_bytes()));
    const Descriptor file{memfd_create("dwcp", MFD_CLOEXEC)};
    if (file.fd < 0) fail("memfd_create");
    if (ftruncate(file.fd, static_cast<off_t>(size_)) != 0) fail("ftruncate of a memory file");
    map(file.fd, 0);
    // A child process would write into the same memory.
    madvise(data_, 2 * size_, MADV_DONTFORK);
}

MirroredMemory::MirroredMemory(int fd, std::size_t offset, std::size_t size) : size_(size) {
    map(fd, offset);
}

void MirroredMemory::map(int fd, std::size_t offset) {
    // Both places are reserved at once, so that nothing else comes between them.
    void* const place = mmap(nullptr, 2 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) {
        fail("mmap of mirrored memory: raise the limit of address space (ulimit -v)");
    }
    data_ = static_cast<std::byte*>(place);
    for (std::byte* half : {data_, data_ + size_}) {
        if (mmap(half, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                 static_cast<off_t>(offset)) == MAP_FAILED) {
            const int error = errno;
            munmap(data_, 2 * size_);
            throw std::system_error(error, std::generic_category(), "mmap of mirrored memory");
        }
    }
}

MirroredMemory::~MirroredMemory() {
    munmap(data_, 2 * size_);
}

}  // namespace dwcp::os
