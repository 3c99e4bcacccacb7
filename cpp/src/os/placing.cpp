#include "os/placing.hpp"

#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "dwcp/os/machine.hpp"
#include "dwcp/os/reserved_memory.hpp"
#include "os/listed.hpp"
#include "os/pages.hpp"

namespace dwcp::os {

namespace {

constexpr int kCollapse = 25;  // MADV_COLLAPSE

// What mbind() takes: a bit for each node.
class NodeMask {
  public:
    explicit NodeMask(const std::vector<int>& nodes) {
        for (const int node : nodes) {
            const auto at = static_cast<std::size_t>(node);
            if (words_.size() <= at / kWordBits) words_.resize(at / kWordBits + 1);
            words_[at / kWordBits] |= 1UL << at % kWordBits;
        }
    }
    [[nodiscard]] const unsigned long* get() const { return words_.data(); }
    // The kernel reads one bit fewer than it is told.
    [[nodiscard]] unsigned long bits() const { return words_.size() * kWordBits + 1; }

  private:
    static constexpr std::size_t kWordBits = 8 * sizeof(unsigned long);
    std::vector<unsigned long> words_;
};

}  // namespace

bool has_numa() noexcept {
    return numa_available() >= 0;
}

std::vector<int> memory_nodes() {
    if (!has_numa()) return {0};
    const std::unique_ptr<bitmask, decltype(&numa_bitmask_free)> allowed(numa_get_mems_allowed(),
                                                                         numa_bitmask_free);
    std::vector<int> found;
    for (int node = 0; node <= numa_max_node(); ++node) {
        if (numa_bitmask_isbitset(allowed.get(), static_cast<unsigned>(node)) != 0) {
            found.push_back(node);
        }
    }
    return found;
}

void check_nodes(const std::vector<int>& nodes) {
    const std::vector<int> there = memory_nodes();
    for (const int node : nodes) {
        if (!std::binary_search(there.begin(), there.end(), node)) {
            throw std::invalid_argument("there is no memory node " + std::to_string(node) +
                                        "; there are " + listed(there));
        }
    }
}

void check_placing(Placing placing, const std::vector<int>& nodes) {
    const std::size_t count = nodes.size();
    const bool fits = placing == Placing::kDefault     ? count == 0
                      : placing == Placing::kPreferred ? count == 1
                                                       : count >= 1;
    if (!fits) {
        throw std::invalid_argument(
            "nodes must be one for preferred, one or more to bind to or "
            "interleave, and none else");
    }
    check_nodes(nodes);
}

std::string place_pages(std::span<std::byte> range, Placing placing,
                        const std::vector<int>& nodes) {
    if (placing == Placing::kDefault) return {};
    if (!has_numa()) return "the kernel places no memory on nodes: there is one";
    const int mode = placing == Placing::kBind        ? MPOL_BIND
                     : placing == Placing::kPreferred ? MPOL_PREFERRED
                                                      : MPOL_INTERLEAVE;
    const NodeMask mask(nodes);
    if (mbind(range.data(), range.size(), mode, mask.get(), mask.bits(), MPOL_MF_STRICT) != 0) {
        throw std::system_error(errno, std::generic_category(), "mbind to node " + listed(nodes));
    }
    return {};
}

bool prefer_huge_pages(std::span<std::byte> range) noexcept {
    return madvise(range.data(), range.size(), MADV_HUGEPAGE) == 0;
}

void keep_plain_pages(std::span<std::byte> range) noexcept {
    madvise(range.data(), range.size(), MADV_NOHUGEPAGE);
}

void collapse_pages(std::span<std::byte> range) noexcept {
    madvise(range.data(), range.size(), kCollapse);
}

void touch_huge_pages(std::span<std::byte> range) noexcept {
    constexpr std::size_t kHugeBytes = ReservedMemory::kAlignment;
    for (std::size_t at = 0; at < range.size(); at += kHugeBytes) {
        touch_pages(range.data() + at, 1);
        unsigned char last = 0;
        if (mincore(range.data() + at + kHugeBytes - page_bytes(), page_bytes(), &last) != 0 ||
            (last & 1) == 0) {
            collapse_pages({range.data() + at, kHugeBytes});
        }
    }
}

std::size_t huge_bytes_in(std::span<const std::byte> range) {
    // The kernel may have split or joined mappings.
    const auto begin = reinterpret_cast<std::uintptr_t>(range.data());
    std::ifstream file("/proc/self/smaps");
    bool inside = false;
    std::size_t kibibytes = 0;
    for (std::string line; std::getline(file, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        std::size_t size = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
            inside = from < begin + range.size() && to > begin;
        } else if (inside && std::sscanf(line.c_str(), "AnonHugePages: %zu kB", &size) == 1) {
            kibibytes += size;
        }
    }
    return std::min(kibibytes << 10, range.size());
}

}  // namespace dwcp::os
