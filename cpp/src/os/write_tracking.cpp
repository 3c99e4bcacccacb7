#include "os/write_tracking.hpp"

#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "dwcp/os/machine.hpp"
#include "os/pages.hpp"

namespace dwcp::os {

namespace {

// The kernel's binary interface (include/uapi/linux/userfaultfd.h and fs.h), which the headers of
// older systems do not have in full.
constexpr int kUserModeOnly = 1;
constexpr std::uint64_t kApiVersion = 0xAA;
constexpr std::uint64_t kWpHugetlbfsShmem = 1 << 12;
constexpr std::uint64_t kWpUnpopulated = 1 << 13;
constexpr std::uint64_t kWpAsync = 1 << 15;
struct Range {
    std::uint64_t start;
    std::uint64_t size;
};
struct Api {
    std::uint64_t version;
    std::uint64_t features;
    std::uint64_t calls;
};
struct Register {
    Range range;
    std::uint64_t mode;
    std::uint64_t calls;
};
struct WriteProtect {
    Range range;
    std::uint64_t mode;
};
constexpr std::uint64_t kRegisterWriteProtect = 2;
constexpr std::uint64_t kProtect = 1;
constexpr auto kCallApi = _IOWR(0xAA, 0x3F, Api);
constexpr auto kCallRegister = _IOWR(0xAA, 0x00, Register);
constexpr auto kCallUnregister = _IOR(0xAA, 0x01, Range);
constexpr auto kCallWriteProtect = _IOWR(0xAA, 0x06, WriteProtect);

struct PageRegion {
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t categories;
};
struct Scan {
    std::uint64_t size;
    std::uint64_t flags;
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t walk_end;
    std::uint64_t regions;
    std::uint64_t regions_max;
    std::uint64_t pages_max;
    std::uint64_t category_inverted;
    std::uint64_t category_mask;
    std::uint64_t category_anyof_mask;
    std::uint64_t return_mask;
};
constexpr std::uint64_t kProtectMatching = 1;
constexpr std::uint64_t kCheckAsync = 2;
constexpr std::uint64_t kWritten = 2;
constexpr auto kCallScan = _IOWR('f', 16, Scan);

constexpr std::size_t kRegionsMax = 512;

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::uint64_t address(const std::byte* place) {
    return reinterpret_cast<std::uint64_t>(place);
}
Memory memory_at(std::uint64_t start, std::uint64_t end) {
    return {reinterpret_cast<const std::byte*>(start), static_cast<std::size_t>(end - start)};
}

// The largest part of `memory` that begins and ends at multiples of `page`.
Memory within(Memory memory, std::uint64_t page) {
    const std::uint64_t start = up_to(address(memory.data()), page);
    const std::uint64_t end = (address(memory.data()) + memory.size()) / page * page;
    return start < end ? memory_at(start, end) : Memory{};
}

// Closes it whatever happens.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) close(fd_);
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

// Of this process, as it is now: a descriptor from before a fork would tell of the parent's memory.
Descriptor open_pagemap() {
    Descriptor file(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        fail(
            "open of /proc/self/pagemap: mount /proc; a process that may not be traced "
            "(PR_SET_DUMPABLE) has none");
    }
    return file;
}

}  // namespace

WriteTracking::WriteTracking() : owner_(getpid()) {
    // Only for faults of its own code, which takes no privilege; in the asynchronous mode those in
    // system calls are the kernel's own business and counted all the same.
    Descriptor file(
        static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | kUserModeOnly)));
    if (file.get() < 0) {
        fail(errno == EPERM || errno == EACCES
                 ? "userfaultfd is forbidden here (seccomp profile of the container?)"
             : errno == EMFILE ? "userfaultfd: raise the limit of open files (ulimit -n)"
                               : "userfaultfd needs Linux 5.11 or later");
    }
    Api api{kApiVersion, kWpAsync | kWpUnpopulated | kWpHugetlbfsShmem, 0};
    if (ioctl(file.get(), kCallApi, &api) != 0) {
        fail("userfaultfd without asynchronous write protection: Linux 6.7 or later has it");
    }
    static_cast<void>(open_pagemap());
    fd_ = file.release();
}

WriteTracking::~WriteTracking() {
    // A child may still hold the descriptor, and with it the protection; and the child itself must
    // not lift that of its parent.
    if (!is_inherited()) {
        for (const Memory pages : added_) {
            Range range{address(pages.data()), pages.size()};
            ioctl(fd_, kCallUnregister, &range);
        }
    }
    close(fd_);
}

Memory WriteTracking::add(Memory memory) {
    // Hugetlb memory is refused with EINVAL unless whole pages of it are given, and is of one of
    // these sizes.
    constexpr std::array<std::uint64_t, 2> kHugePages{std::uint64_t{2} << 20,
                                                      std::uint64_t{1} << 30};
    Memory pages = within(memory, page_bytes());
    for (std::size_t size = 0; !pages.empty(); ++size) {
        Register call{{address(pages.data()), pages.size()}, kRegisterWriteProtect, 0};
        if (ioctl(fd_, kCallRegister, &call) == 0) break;
        if (errno != EINVAL || size == kHugePages.size()) {
            fail(errno == EBUSY ? "userfaultfd: a part of the memory is tracked already"
                                : "userfaultfd: this memory cannot be tracked");
        }
        pages = within(memory, kHugePages[size]);
    }
    if (pages.empty()) return pages;
    added_.push_back(pages);
    WriteProtect protect{{address(pages.data()), pages.size()}, kProtect};
    if (ioctl(fd_, kCallWriteProtect, &protect) != 0) fail("userfaultfd: write protection");
    return pages;
}

void WriteTracking::collect(Memory pages, std::vector<Memory>& written) const {
    const Descriptor pagemap = open_pagemap();
    std::array<PageRegion, kRegionsMax> regions;
    Scan scan{};
    scan.size = sizeof scan;
    scan.flags = kProtectMatching | kCheckAsync;
    scan.start = address(pages.data());
    scan.end = scan.start + pages.size();
    scan.regions = reinterpret_cast<std::uint64_t>(regions.data());
    scan.regions_max = regions.size();
    scan.category_mask = kWritten;
    scan.return_mask = kWritten;
    while (scan.start < scan.end) {
        const int count = ioctl(pagemap.get(), kCallScan, &scan);
        if (count < 0) {
            fail("PAGEMAP_SCAN: the memory is no longer what it was, or Linux is older than 6.7");
        }
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            written.push_back(memory_at(regions[i].start, regions[i].end));
        }
        scan.start = scan.walk_end;
    }
}

bool WriteTracking::is_inherited() const noexcept {
    return getpid() != owner_;
}

std::string shared_because(Memory memory) {
    const std::uint64_t start = address(memory.data());
    const std::uint64_t end = start + memory.size();
    std::ifstream file("/proc/self/maps");
    // proc_pid_maps(5).
    for (std::string line; std::getline(file, line);) {
        std::uint64_t from = 0;
        std::uint64_t to = 0;
        std::array<char, 5> permissions{};
        unsigned long inode = 0;
        int path = 0;
        if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %lu %n", &from, &to,
                        permissions.data(), &inode, &path) != 4 ||
            from >= end || to <= start) {
            continue;
        }
        if (permissions[3] == 's') return "it is shared, and may be written through other mappings";
        // So the kernel calls private huge pages, which it keeps in a file of its own.
        const std::string_view name = std::string_view(line).substr(static_cast<std::size_t>(path));
        if (inode != 0 && name != "/anon_hugepage (deleted)") {
            return "it is mapped from a file, which others may write to";
        }
    }
    return {};
}

}  // namespace dwcp::os
