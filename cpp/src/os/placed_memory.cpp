#include "dwcp/os/placed_memory.hpp"

#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "dwcp/os/machine.hpp"
#include "dwcp/os/reserved_memory.hpp"
#include "os/listed.hpp"
#include "os/pages.hpp"

namespace dwcp::os {

namespace {

constexpr std::size_t kHugeBytes = ReservedMemory::kAlignment;
constexpr std::size_t kSizeMax = std::size_t{1} << 46;
constexpr int kCollapse = 25;  // MADV_COLLAPSE, since Linux 6.1

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
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

// The pages that hold the bytes.
std::vector<void*> pages_of(std::span<const std::byte> bytes) {
    std::vector<void*> pages;
    const auto first = reinterpret_cast<std::uintptr_t>(bytes.data()) / page_bytes();
    const auto end =
        (reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size() + page_bytes() - 1) /
        page_bytes();
    for (auto page = first; page < end && !bytes.empty(); ++page) {
        pages.push_back(reinterpret_cast<void*>(page * page_bytes()));
    }
    return pages;
}

bool has_numa() {
    return numa_available() >= 0;
}

}  // namespace

PlacedMemory::PlacedMemory(std::size_t size, const PlacedMemoryOptions& options) {
    if (size < 1 || size > kSizeMax) {
        throw std::invalid_argument("size must be 1 to 2^46 bytes, but is " + std::to_string(size));
    }
    const std::size_t count = options.nodes.size();
    const bool fits = options.placing == Placing::kDefault     ? count == 0
                      : options.placing == Placing::kPreferred ? count == 1
                                                               : count >= 1;
    if (!fits) {
        throw std::invalid_argument(
            "nodes must be one for preferred, one or more to bind to or "
            "interleave, and none else");
    }
    check_nodes(options.nodes);
    size_ = up_to(size, options.huge ? kHugeBytes : page_bytes());
    map(options.huge);
    try {
        place(options);
        if (options.huge && kind_ == PageKind::kPlain &&
            madvise(data_, size_, MADV_HUGEPAGE) != 0) {
            reason_ += "; the kernel makes no huge pages by itself";
        }
        touch_pages(data_, size_);
        if (options.huge && kind_ == PageKind::kPlain) {
            // Where touching did not bring them, as under the setting `never`, asking does.
            if (huge_bytes() < size_) madvise(data_, size_, kCollapse);
            if (huge_bytes() > 0) {
                kind_ = PageKind::kTransparent;
            } else {
                reason_ +=
                    "; the kernel had none to make of plain pages (see "
                    "/sys/kernel/mm/transparent_hugepage)";
            }
        }
        if (options.lock) lock();
    } catch (...) {
        munmap(data_, size_);
        throw;
    }
}

void PlacedMemory::map(bool huge) {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
    if (huge) {
        // Without MAP_NORESERVE it fails here, and not later by a signal.
        void* const place = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                                 kFlags | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1, 0);
        if (place != MAP_FAILED) {
            data_ = static_cast<std::byte*>(place);
            kind_ = PageKind::kHugetlb;
            return;
        }
        reason_ = "not so many huge pages are reserved (sysctl vm.nr_hugepages)";
    }
    data_ = map_aligned(size_, huge ? kHugeBytes : page_bytes(), PROT_READ | PROT_WRITE);
    if (data_ == nullptr) {
        fail("mmap of " + std::to_string(size_) +
             " bytes: free memory, or raise the limit of "
             "address space (ulimit -v)");
    }
}

PlacedMemory::~PlacedMemory() {
    munmap(data_, size_);
}

void PlacedMemory::place(const PlacedMemoryOptions& options) {
    if (options.placing == Placing::kDefault) return;
    if (!has_numa()) {
        reason_ += reason_.empty() ? "" : "; ";
        reason_ += "the kernel places no memory on nodes: there is one";
        return;
    }
    const int mode = options.placing == Placing::kBind        ? MPOL_BIND
                     : options.placing == Placing::kPreferred ? MPOL_PREFERRED
                                                              : MPOL_INTERLEAVE;
    const NodeMask mask(options.nodes);
    if (mbind(data_, size_, mode, mask.get(), mask.bits(), MPOL_MF_STRICT) != 0) {
        fail("mbind to node " + listed(options.nodes));
    }
}

void PlacedMemory::lock() {
    if (mlock(data_, size_) == 0) return;
    const int error = errno;
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    errno = error;
    fail("mlock of " + std::to_string(size_) +
         " bytes: raise the limit of locked memory, which is " +
         (limit.rlim_cur == RLIM_INFINITY ? std::string("not set")
                                          : std::to_string(limit.rlim_cur) + " bytes") +
         " (ulimit -l, LimitMEMLOCK= of systemd), or grant CAP_IPC_LOCK");
}

std::size_t PlacedMemory::huge_bytes() const {
    if (kind_ == PageKind::kHugetlb) return size_;
    // The kernel may have split or joined mappings.
    const auto begin = reinterpret_cast<std::uintptr_t>(data_);
    std::ifstream file("/proc/self/smaps");
    bool inside = false;
    std::size_t kibibytes = 0;
    for (std::string line; std::getline(file, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        std::size_t size = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
            inside = from < begin + size_ && to > begin;
        } else if (inside && std::sscanf(line.c_str(), "AnonHugePages: %zu kB", &size) == 1) {
            kibibytes += size;
        }
    }
    return std::min(kibibytes << 10, size_);
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

std::vector<std::pair<int, std::size_t>> nodes_of(std::span<const std::byte> bytes) {
    std::vector<void*> pages = pages_of(bytes);
    std::vector<int> status(pages.size(), -1);
    if (!has_numa()) {
        std::fill(status.begin(), status.end(), 0);
    } else if (!pages.empty() &&
               move_pages(0, pages.size(), pages.data(), nullptr, status.data(), 0) != 0) {
        fail("move_pages, asked where pages are");
    }
    std::map<int, std::size_t> counts;
    for (const int node : status) ++counts[std::max(node, -1)];
    return {counts.begin(), counts.end()};
}

std::size_t move_to_node(std::span<const std::byte> bytes, int node) {
    check_nodes({node});
    std::vector<void*> pages = pages_of(bytes);
    if (pages.empty()) return 0;
    if (!has_numa()) return pages.size();
    const std::vector<int> wanted(pages.size(), node);
    std::vector<int> status(pages.size(), -1);
    if (move_pages(0, pages.size(), pages.data(), wanted.data(), status.data(), MPOL_MF_MOVE) < 0) {
        fail("move_pages to node " + std::to_string(node));
    }
    return static_cast<std::size_t>(std::count(status.begin(), status.end(), node));
}

}  // namespace dwcp::os
