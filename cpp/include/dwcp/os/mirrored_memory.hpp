// Memory that is seen twice in a row, so that what runs over its end goes on at its beginning.
#pragma once

#include <cstddef>
#include <span>

namespace dwcp::os {

class MirroredMemory {
  public:
    // At least `size` bytes, zero at first; as many as the next power of two that is a multiple of
    // the page. Throws std::system_error when the kernel refuses, std::invalid_argument for a size
    // of 0 or beyond 2^46.
    explicit MirroredMemory(std::size_t size);
    // `size` bytes of a file from `offset` on, which other processes may have mapped too; both are
    // multiples of the page. Throws std::system_error.
    MirroredMemory(int fd, std::size_t offset, std::size_t size);
    MirroredMemory(const MirroredMemory&) = delete;
    MirroredMemory& operator=(const MirroredMemory&) = delete;
    ~MirroredMemory();

    // Bytes at `place` and after it; place is below size(), and up to size() bytes follow it in a
    // row.
    [[nodiscard]] std::byte* at(std::size_t place) const noexcept { return data_ + place; }
    // A power of two, unless it is a part of a file.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    void map(int fd, std::size_t offset);

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace dwcp::os
