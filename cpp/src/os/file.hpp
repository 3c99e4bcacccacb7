// Files and pages: the system calls of the delta topic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::os {

// What tells whether a file was modified.
struct FileStamp {
    std::uint64_t length = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// Regular files and memory files by fstat(2), block devices by their size; anything else is a
// std::system_error with EINVAL.
FileStamp file_stamp(int fd);

// Waits until a write would get a later time than `stamp` has. Kernels before 6.13 stamp files with
// a clock that moves once a tick (1 to 10 ms): a second write in the tick of the first one leaves
// no trace. Gives up after a few ticks when the file's time lies in the future.
void wait_until_past(const FileStamp& stamp);

// Returns when writes that had begun before the call are complete: write(2) holds the inode's lock
// from before it stamps the file until its end, and a seek for a hole takes that lock too (ext4,
// btrfs, tmpfs). Elsewhere it does nothing. `length` is the file's; its offset moves.
void wait_for_writes(int fd, std::uint64_t length);

// Reads until `buffer` is full or the file ends; returns the bytes read. Retries EINTR.
std::size_t read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset);

// Anonymous memory, zero at first, on huge pages where the kernel grants them. Never read before
// it is written: untouched pages take no memory.
class Pages {
  public:
    explicit Pages(std::size_t size);
    Pages(Pages&& other) noexcept;
    Pages& operator=(Pages&& other) noexcept;
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages();

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace dwcp::os
