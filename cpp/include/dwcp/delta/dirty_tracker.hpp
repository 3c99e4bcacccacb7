// Which pages of a state were written to, from the kernel, so that an encoder need not look at the
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dwcp/delta/part.hpp"
#include "dwcp/delta/xor.hpp"

namespace dwcp::delta {

struct TrackerOptions {
    // Shared memory and mapped files are tracked, too: the caller knows that nobody writes to them
    // but this process through this mapping. Other writes would go unnoticed.
    bool exclusive = false;
};

// Tells what may have changed in memory since it was last asked. The first write to a page after
// that costs its thread about a microsecond; huge pages that the kernel made of plain ones are
// taken apart by it. Where pages cannot be tracked, all of them count as written each time.
//
// Seen is what this process writes in its own code and in system calls, and what
// process_vm_writev(2) writes. Not seen is what devices write to memory that was pinned before, as
// direct reads that are under way and registered buffers of io_uring: mark() that. Not thread-safe:
// one thread at a time; all others may write meanwhile. The memory stays until the tracker is gone.
// After fork() a child's tracker begins anew with all of its memory.
class DirtyTracker {
  public:
    enum class Method { kWriteProtect, kFullScan };

    // Throws std::invalid_argument when parts overlap; what the kernel refuses is in reason().
    explicit DirtyTracker(std::span<const Part> parts, const TrackerOptions& options = {});
    DirtyTracker(DirtyTracker&&) noexcept;
    DirtyTracker& operator=(DirtyTracker&&) noexcept;
    ~DirtyTracker();

    // Ranges that may have been written since the last call, or since the tracker was made,
    // ascending, disjoint and not adjacent; offsets as of the parts. Whole pages, and always the
    // edges, which share a page with other data. What is read after the call is what they hold, or
    // later.
    [[nodiscard]] std::vector<Region> collect();
    // Counts the range as written. Throws std::invalid_argument unless it lies within the state.
    void mark(std::uint64_t offset, std::uint64_t length);
    // Counts everything as written.
    void mark_all() noexcept;

    [[nodiscard]] Method method() const noexcept;
    // Why not all whole pages are tracked; empty when they are.
    [[nodiscard]] const std::string& reason() const noexcept;
    // How much is tracked, in bytes; what is left counts as written in each call of collect().
    [[nodiscard]] std::uint64_t tracked_bytes() const noexcept;
    [[nodiscard]] std::span<const Part> parts() const noexcept;
    // Of no other tracker, and another one after each call of collect().
    [[nodiscard]] std::uint64_t stamp() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace dwcp::delta
