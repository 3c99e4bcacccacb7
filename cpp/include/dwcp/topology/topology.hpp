// Which processors, caches and memory nodes there are, how they belong together, and what of them
// this process may use.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::topology {

// Lists of numbers are in rising order. A number that the kernel does not tell is -1, a size 0.

struct Cpu {
    int id = -1;
    int core = -1;    // within the socket
    int socket = -1;  // package
    int node = -1;
    std::vector<int> siblings;  // that share the core, itself included
};

struct Cache {
    int level = 0;
    std::string type;  // data, instruction or unified
    std::size_t size_bytes = 0;
    std::size_t line_bytes = 0;
    std::vector<int> cpus;  // that share it
};

struct Node {
    int id = -1;
    std::vector<int> cpus;
    std::size_t memory_bytes = 0;
    std::vector<int> distances;  // to each node in the order of `nodes`; 10 is its own
};

struct Topology {
    std::vector<Cpu> cpus;      // that are online
    std::vector<Cache> caches;  // by level, then by their first processor
    std::vector<Node> nodes;
    std::vector<int> usable;      // by the calling thread: its affinity, which is within its cpuset
    std::optional<double> quota;  // processors' worth of time that the control group grants

    // Throw std::invalid_argument when there is none of that number.
    [[nodiscard]] const Cpu& cpu(int id) const;
    [[nodiscard]] const Node& node(int id) const;
    // As many as threads make sense: those usable, but not more than the quota, rounded up.
    [[nodiscard]] std::size_t parallelism() const;
};

// Reads sysfs and procfs, mounted at these places; some hundred small files. Where a machine has no
// nodes in sysfs, it is one node. Throws std::system_error where the affinity cannot be had.
[[nodiscard]] Topology read(const std::filesystem::path& sys = "/sys",
                            const std::filesystem::path& proc = "/proc");

// Numbers of a list as the kernel writes them, "0-3,8"; what is none ends the list.
[[nodiscard]] std::vector<int> parse_list(const std::string& text);

}  // namespace dwcp::topology
