// Which pages of the own memory were written to: the system calls of dirty tracking.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace dwcp::os {

using Memory = std::span<const std::byte>;

// Write protection by userfaultfd(2) in its asynchronous mode, in which the kernel itself lifts it
// from a page at the first write and no handler is called, and the PAGEMAP_SCAN call of
// /proc/self/pagemap, which tells those pages and protects them again, each in one step (Linux 6.7;
// Documentation/admin-guide/mm/pagemap.rst). Needs no privilege. It sees what is written through
// the page tables of this process: by its threads, by system calls into its memory, by
// process_vm_writev(2); not what devices write to pages that were pinned before, nor what another
// process or another mapping writes to shared pages.
class WriteTracking {
  public:
    // Throws std::system_error, saying what to do, where the kernel has no such mode or forbids it.
    WriteTracking();
    WriteTracking(const WriteTracking&) = delete;
    WriteTracking& operator=(const WriteTracking&) = delete;
    // Lifts all protection.
    ~WriteTracking();

    // Protects the whole pages that lie within `memory`, and returns them: huge ones where the
    // memory is made of huge ones that were reserved; nothing where no whole page is. Throws
    // std::system_error, EBUSY when somebody tracks a part of them already.
    [[nodiscard]] Memory add(Memory memory);
    // Appends the pages that were written since they were added or last collected, ascending, and
    // protects them again. What is read afterwards is what was written or later. Throws
    // std::system_error when `pages` are no longer the memory that was added.
    void collect(Memory pages, std::vector<Memory>& written) const;
    // After a fork the child's memory is not tracked; the calls above would act on the parent's.
    [[nodiscard]] bool is_inherited() const noexcept;

  private:
    int fd_ = -1;
    pid_t owner_ = 0;
    std::vector<Memory> added_;
};

// Why others than this process, or this process otherwise than through `memory`, may write to it:
// it is shared or a file. Empty when it is neither.
[[nodiscard]] std::string shared_because(Memory memory);

}  // namespace dwcp::os
