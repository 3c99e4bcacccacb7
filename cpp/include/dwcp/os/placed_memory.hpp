// Memory straight from the kernel, whole pages of it: how large they are, and on which memory node.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::os {

enum class PageKind {
    kPlain,
    kTransparent,  // huge pages that the kernel makes of plain ones
    kHugetlb,      // huge pages that were reserved for that
};
enum class Placing {
    kDefault,     // where the thread runs that touches them first
    kBind,        // on these nodes or not at all
    kPreferred,   // on this node as long as it has memory
    kInterleave,  // on these nodes in turn, page by page
};

struct PlacedMemoryOptions {
    bool huge = false;  // huge ones, if they can be had
    Placing placing = Placing::kDefault;
    std::vector<int> nodes{};
    bool lock = false;  // never swapped out (mlock)
};

// Anonymous memory, zeros at first, whose pages are there; gone with the object. After a fork the
// child has a copy, which is not locked.
class PlacedMemory {
  public:
    // At least `size` bytes. Throws std::invalid_argument for a size of 0 or beyond 2^46, for nodes
    // that are not there and for more or fewer than the placing takes; std::system_error, with what
    // to do, where the kernel refuses memory, placing or lock.
    PlacedMemory(std::size_t size, const PlacedMemoryOptions& options);
    PlacedMemory(const PlacedMemory&) = delete;
    PlacedMemory& operator=(const PlacedMemory&) = delete;
    ~PlacedMemory();

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    // What the kernel has given, and why not what was wished.
    [[nodiscard]] PageKind kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    // How much of it lies in huge pages just now, in bytes.
    [[nodiscard]] std::size_t huge_bytes() const;

  private:
    void map(bool huge);
    void lock();

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    PageKind kind_ = PageKind::kPlain;
    std::string reason_;
};

// Numbers of the memory nodes that this process may use; {0} where the kernel knows none.
[[nodiscard]] std::vector<int> memory_nodes();
// Of the pages that hold the bytes: the node and how many lie there, in rising order; -1 for those
// that are not there. Throws std::system_error.
[[nodiscard]] std::vector<std::pair<int, std::size_t>> nodes_of(std::span<const std::byte> bytes);
// Moves the pages that hold the bytes to a node, with whatever else lies in them. Returns how many
// are there afterwards. Throws std::invalid_argument for a node that is not there,
// std::system_error.
std::size_t move_to_node(std::span<const std::byte> bytes, int node);

}  // namespace dwcp::os
