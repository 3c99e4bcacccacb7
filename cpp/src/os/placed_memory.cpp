#include "dwcp/os/placed_memory.hpp"

#include <numaif.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <system_error>

#include "dwcp/os/machine.hpp"
#include "dwcp/os/reserved_memory.hpp"
#include "os/listed.hpp"
#include "os/pages.hpp"
#include "os/placing.hpp"

namespace dwcp::os {

namespace {

constexpr std::size_t kHugeBytes = ReservedMemory::kAlignment;
constexpr std::size_t kSizeMax = std::size_t{1} << 46;

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

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

}  // namespace

PlacedMemory::PlacedMemory(std::size_t size, const PlacedMemoryOptions& options) {
    if (size < 1 || size > kSizeMax) {
        throw std::invalid_argument("size must be 1 to 2^46 bytes, but is " + std::to_string(size));
    }
    check_placing(options.placing, options.nodes);
    size_ = up_to(size, options.huge ? kHugeBytes : page_bytes());
    map(options.huge);
    try {
        const std::string unplaced = place_pages({data_, size_}, options.placing, options.nodes);
        if (!unplaced.empty()) reason_ += (reason_.empty() ? "" : "; ") + unplaced;
        if (options.huge && kind_ == PageKind::kPlain && !prefer_huge_pages({data_, size_})) {
            reason_ += "; the kernel makes no huge pages by itself";
        }
        // Of plain pages each is to lie on another node than the one before.
        if (!options.huge && options.placing == Placing::kInterleave) {
            keep_plain_pages({data_, size_});
        }
        touch_pages(data_, size_);
        if (options.huge && kind_ == PageKind::kPlain) {
            if (huge_bytes() < size_) collapse_pages({data_, size_});
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
    return huge_bytes_in({data_, size_});
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
