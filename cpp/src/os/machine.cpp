#include "dwcp/os/machine.hpp"

#include <liburing.h>
#include <lz4.h>
#include <numa.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace dwcp::os {

namespace {

void probe_io_uring(Machine& machine) {
    io_uring ring{};
    const int result = io_uring_queue_init(4, &ring, 0);
    machine.io_uring = result == 0;
    if (result == 0) {
        machine.io_uring_reason = "io_uring_queue_init succeeded";
        io_uring_queue_exit(&ring);
        return;
    }
    machine.io_uring_reason = std::string("io_uring_queue_init: ") + std::strerror(-result);
    if (result == -EPERM) {
        machine.io_uring_reason += " (a seccomp filter or the sysctl kernel.io_uring_disabled)";
    } else if (result == -ENOSYS) {
        machine.io_uring_reason += " (a kernel without it, a seccomp filter, or an emulator)";
    } else if (result == -ENOMEM) {
        machine.io_uring_reason += " (raise the limit of locked memory: ulimit -l)";
    }
}

// Size of the cache at the index that sysfs gives it, in bytes; 0 where sysfs does not know.
std::size_t read_cache(const char* index) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::string(index) + "/size");
    std::size_t kibibytes = 0;
    return file >> kibibytes ? kibibytes << 10 : 0;
}

// 0 where neither sysfs nor the C library knows.
std::size_t read_last_level_cache() {
    // sysfs first: glibc multiplies by the wrong number of sharing threads on some AMD guests.
    for (const char* index : {"3", "2"}) {
        if (const std::size_t size = read_cache(index); size != 0) return size;
    }
    for (const int name : {_SC_LEVEL3_CACHE_SIZE, _SC_LEVEL2_CACHE_SIZE}) {
        const long size = sysconf(name);
        if (size > 0) return static_cast<std::size_t>(size);
    }
    return 0;
}

bool is_intel() {
#if defined(__x86_64__)
    return __builtin_cpu_is("intel") != 0;
#else
    return false;
#endif
}

}  // namespace

Machine machine() {
    Machine machine;
    probe_io_uring(machine);
    machine.numa_available = numa_available() >= 0;
    machine.numa_nodes = machine.numa_available ? numa_num_configured_nodes() : 1;
    machine.last_level_cache_bytes = read_last_level_cache();
    machine.versions["liburing"] = DWCP_LIBURING_VERSION;
    machine.versions["libnuma"] = DWCP_LIBNUMA_VERSION;
    machine.versions["liblz4"] = LZ4_versionString();
    machine.versions["libzstd"] = ZSTD_versionString();
    const unsigned xxhash = XXH_versionNumber();
    machine.versions["libxxhash"] = std::to_string(xxhash / 10000) + "." +
                                    std::to_string(xxhash / 100 % 100) + "." +
                                    std::to_string(xxhash % 100);
    return machine;
}

std::size_t page_bytes() noexcept {
    static const auto kSize = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return kSize;
}

std::size_t physical_memory_bytes() noexcept {
    const long pages = sysconf(_SC_PHYS_PAGES);
    return pages < 0 ? 0 : static_cast<std::size_t>(pages) * page_bytes();
}

std::size_t last_level_cache_bytes() {
    // A common size where nothing tells: only the choice of stores depends on it.
    static const std::size_t kSize = [] {
        const std::size_t size = read_last_level_cache();
        return size != 0 ? size : std::size_t{32} << 20;
    }();
    return kSize;
}

std::size_t store_cache_bytes() {
    constexpr std::size_t kMeshBytesMin = std::size_t{64} << 20;
    static const std::size_t kSize = [] {
        const std::size_t level2 = read_cache("2");
        const bool mesh = is_intel() && last_level_cache_bytes() >= kMeshBytesMin;
        return mesh && level2 != 0 ? level2 : last_level_cache_bytes() / 2;
    }();
    return kSize;
}

}  // namespace dwcp::os
