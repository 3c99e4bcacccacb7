#include "os/file.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <new>
#include <string>
#include <system_error>
#include <utility>

namespace dwcp::os {

namespace {

[[noreturn]] void fail(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), what);
}

std::int64_t nanoseconds(const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileStamp file_stamp(int fd) {
    struct stat status{};
    if (fstat(fd, &status) != 0) fail(errno, "fstat of the state's file");
    FileStamp stamp;
    stamp.modified_ns = nanoseconds(status.st_mtim);
    stamp.changed_ns = nanoseconds(status.st_ctim);
    if (S_ISREG(status.st_mode)) {
        stamp.length = static_cast<std::uint64_t>(status.st_size);
    } else if (S_ISBLK(status.st_mode)) {
        std::uint64_t size = 0;
        if (ioctl(fd, BLKGETSIZE64, &size) != 0) fail(errno, "size of the block device");
        stamp.length = size;
    } else {
        fail(EINVAL, "a state is a regular file, a memory file or a block device");
    }
    return stamp;
}

void wait_until_past(const FileStamp& stamp) {
    constexpr int kWaitsMax = 50;
    constexpr timespec kWait = {0, 500'000};
    for (int i = 0; i < kWaitsMax; ++i) {
        timespec now{};
        // The clock that files are stamped with.
        if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0) return;
        if (nanoseconds(now) > std::max(stamp.modified_ns, stamp.changed_ns)) return;
        nanosleep(&kWait, nullptr);
    }
}

void wait_for_writes(int fd, std::uint64_t length) {
    // From the last byte: nothing to search. A failure means that there is nothing to wait for.
    if (length > 0) (void)lseek(fd, static_cast<off_t>(length - 1), SEEK_HOLE);
}

std::size_t read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < buffer.size()) {
        const ssize_t got = pread(fd, buffer.data() + done, buffer.size() - done,
                                  static_cast<off_t>(offset + done));
        if (got < 0) {
            if (errno == EINTR) continue;
            fail(errno, "pread of the state's file at byte " + std::to_string(offset + done));
        }
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Pages::Pages(std::size_t size) : size_(size) {
    if (size == 0) return;
    void* const memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    // Only a hint: a kernel without transparent huge pages refuses it and nothing is lost.
    (void)madvise(memory, size, MADV_HUGEPAGE);
    data_ = static_cast<std::byte*>(memory);
}

Pages::Pages(Pages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Pages& Pages::operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

Pages::~Pages() {
    if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace dwcp::os
