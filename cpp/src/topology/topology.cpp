#include "dwcp/topology/topology.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "dwcp/os/scheduling.hpp"
#include "os/listed.hpp"

namespace dwcp::topology {

namespace {

namespace fs = std::filesystem;

// Empty where there is no such file.
std::string content(const fs::path& path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
    return text;
}

int number(const fs::path& path) {
    const std::string text = content(path);
    int value = -1;
    const char* const end = text.data() + text.size();
    return std::from_chars(text.data(), end, value).ec == std::errc() ? value : -1;
}

// "32K", "4M"
std::size_t size_bytes(const std::string& text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return 0;
    switch (end == text.data() + text.size() ? ' ' : *end) {
        case 'K':
            return value << 10;
        case 'M':
            return value << 20;
        case 'G':
            return value << 30;
        default:
            return value;
    }
}

// Of the folders named `prefix` and a number, in rising order.
std::vector<int> numbered(const fs::path& folder, const std::string& prefix) {
    std::vector<int> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        int value = -1;
        if (name.size() <= prefix.size() || !name.starts_with(prefix)) continue;
        const auto [end, failed] =
            std::from_chars(name.data() + prefix.size(), name.data() + name.size(), value);
        if (failed == std::errc() && end == name.data() + name.size()) found.push_back(value);
    }
    std::sort(found.begin(), found.end());
    return found;
}

Cpu read_cpu(const fs::path& folder, int id) {
    Cpu cpu;
    cpu.id = id;
    cpu.core = number(folder / "topology/core_id");
    cpu.socket = number(folder / "topology/physical_package_id");
    cpu.siblings = parse_list(content(folder / "topology/thread_siblings_list"));
    if (cpu.siblings.empty()) cpu.siblings = {id};
    return cpu;
}

void add_caches(const fs::path& folder, std::vector<Cache>& caches) {
    for (const int index : numbered(folder / "cache", "index")) {
        const fs::path place = folder / "cache" / ("index" + std::to_string(index));
        Cache cache;
        cache.level = number(place / "level");
        cache.type = content(place / "type");
        std::transform(cache.type.begin(), cache.type.end(), cache.type.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        cache.size_bytes = size_bytes(content(place / "size"));
        cache.line_bytes =
            static_cast<std::size_t>(std::max(0, number(place / "coherency_line_size")));
        cache.cpus = parse_list(content(place / "shared_cpu_list"));
        const bool known = std::any_of(caches.begin(), caches.end(), [&](const Cache& other) {
            return other.level == cache.level && other.type == cache.type &&
                   other.cpus == cache.cpus;
        });
        if (!known) caches.push_back(std::move(cache));
    }
}

// "Node 0 MemTotal:       24586460 kB"
std::size_t memory_bytes(const fs::path& meminfo) {
    const std::string text = content(meminfo);
    const std::size_t at = text.find("MemTotal:");
    if (at == std::string::npos) return 0;
    std::istringstream rest(text.substr(at + 9));
    std::size_t kibibytes = 0;
    return rest >> kibibytes ? kibibytes << 10 : 0;
}

Node read_node(const fs::path& folder, int id) {
    Node node;
    node.id = id;
    node.cpus = parse_list(content(folder / "cpulist"));
    node.memory_bytes = memory_bytes(folder / "meminfo");
    std::istringstream distances(content(folder / "distance"));
    node.distances.assign(std::istream_iterator<int>(distances), std::istream_iterator<int>());
    return node;
}

// "max 100000" or "150000 100000"
std::optional<double> quota_in(const std::string& text) {
    std::istringstream words(text);
    double quota = 0;
    double period = 0;
    if (!(words >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
    return quota / period;
}

// The least that the control group and those around it grant.
std::optional<double> read_quota(const fs::path& sys, const fs::path& proc) {
    std::optional<double> least;
    const auto limit = [&](std::optional<double> quota) {
        if (quota && (!least || *quota < *least)) least = quota;
    };
    std::istringstream groups(content(proc / "self/cgroup"));
    for (std::string line; std::getline(groups, line);) {
        const std::size_t colon = line.rfind(':');
        if (colon == std::string::npos) continue;
        const bool second_version = line.starts_with("0::");
        const std::size_t controllers = line.find(':') + 1;
        std::string names = line.substr(controllers, colon - controllers);
        names.insert(names.begin(), ',');
        names += ',';
        if (!second_version && names.find(",cpu,") == std::string::npos) continue;
        const fs::path root = second_version ? sys / "fs/cgroup" : sys / "fs/cgroup/cpu";
        const fs::path group = fs::path(line.substr(colon + 1)).relative_path();
        for (fs::path inner = group;; inner = inner.parent_path()) {
            const fs::path place = root / inner;
            limit(second_version ? quota_in(content(place / "cpu.max"))
                                 : quota_in(content(place / "cpu.cfs_quota_us") + " " +
                                            content(place / "cpu.cfs_period_us")));
            if (inner.empty()) break;
        }
    }
    return least;
}

template <typename T>
const T& find(const std::vector<T>& all, int id, const char* what) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const T& one) { return one.id == id; });
    if (found != all.end()) return *found;
    std::vector<int> there;
    for (const T& one : all) there.push_back(one.id);
    throw std::invalid_argument("there is no " + std::string(what) + " " + std::to_string(id) +
                                "; there are " + os::listed(there));
}

}  // namespace

std::vector<int> parse_list(const std::string& text) {
    constexpr int kMax = 1 << 20;
    std::vector<int> numbers;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        int first = 0;
        const char* const part_end = part.data() + part.size();
        const auto [end, error] = std::from_chars(part.data(), part_end, first);
        int last = first;
        if (error != std::errc()) break;
        if (end != part_end && *end == '-') {
            if (std::from_chars(end + 1, part_end, last).ec != std::errc()) break;
        }
        if (first < 0 || last < first || last > kMax) break;
        for (int value = first; value <= last; ++value) numbers.push_back(value);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

const Cpu& Topology::cpu(int id) const {
    return find(cpus, id, "processor");
}
const Node& Topology::node(int id) const {
    return find(nodes, id, "memory node");
}

std::size_t Topology::parallelism() const {
    const std::size_t all = std::max<std::size_t>(1, usable.size());
    return quota ? std::clamp<std::size_t>(static_cast<std::size_t>(std::ceil(*quota)), 1, all)
                 : all;
}

Topology read(const fs::path& sys, const fs::path& proc) {
    Topology topology;
    topology.usable = os::affinity();
    const fs::path cpus = sys / "devices/system/cpu";
    std::vector<int> online = parse_list(content(cpus / "online"));
    if (online.empty()) online = topology.usable;
    for (const int id : online) {
        const fs::path folder = cpus / ("cpu" + std::to_string(id));
        topology.cpus.push_back(read_cpu(folder, id));
        add_caches(folder, topology.caches);
    }
    std::sort(topology.caches.begin(), topology.caches.end(),
              [](const Cache& one, const Cache& other) {
                  return std::tie(one.level, one.cpus, one.type) <
                         std::tie(other.level, other.cpus, other.type);
              });
    const fs::path nodes = sys / "devices/system/node";
    for (const int id : numbered(nodes, "node")) {
        topology.nodes.push_back(read_node(nodes / ("node" + std::to_string(id)), id));
    }
    if (topology.nodes.empty()) {
        topology.nodes.push_back({0, online, memory_bytes(proc / "meminfo"), {10}});
    }
    for (const Node& node : topology.nodes) {
        for (Cpu& cpu : topology.cpus) {
            if (std::binary_search(node.cpus.begin(), node.cpus.end(), cpu.id)) cpu.node = node.id;
        }
    }
    topology.quota = read_quota(sys, proc);
    return topology;
}

}  // namespace dwcp::topology
