// What the kernel and the machine offer to dwcp.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace dwcp::os {

struct Machine {
    bool io_uring = false;
    std::string io_uring_reason;  // why not, or what was found
    bool numa_available = false;
    int numa_nodes = 1;
    std::size_t last_level_cache_bytes = 0;       // 0: unknown
    std::map<std::string, std::string> versions;  // of the libraries in use
};

// Probes the machine: sets up and closes an io_uring, asks libnuma. May be called from any thread.
[[nodiscard]] Machine machine();

[[nodiscard]] std::size_t page_bytes() noexcept;
// 0 where the system does not tell.
[[nodiscard]] std::size_t physical_memory_bytes() noexcept;

// Size of the last-level cache in bytes as sysfs or the C library reports it, read once; 32 MiB is
// assumed where neither tells.
[[nodiscard]] std::size_t last_level_cache_bytes();

// How much memory one core can write to at better than memory speed, in bytes: half of the
// last-level cache, but only the second level on Intel's servers, whose shared cache takes stores
// no faster than memory does.
[[nodiscard]] std::size_t store_cache_bytes();

}  // namespace dwcp::os
