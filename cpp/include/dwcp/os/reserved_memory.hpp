// A range of addresses that is the process's own, of which it uses as much as it needs.
#pragma once

#include <cstddef>

namespace dwcp::os {

// Private to the process and copied by fork(). Sizes and places are in bytes. Threads: parts that
// do not overlap may be used and unused at the same time.
class ReservedMemory {
  public:
    static constexpr std::size_t kAlignment = std::size_t{2} << 20;  // that of a huge page

    // Reserves `size` bytes rounded up to kAlignment, or, where the kernel refuses, half of it and
    // so on down to `size_min`. Throws std::system_error when it refuses that as well.
    ReservedMemory(std::size_t size, std::size_t size_min);
    ReservedMemory(const ReservedMemory&) = delete;
    ReservedMemory& operator=(const ReservedMemory&) = delete;
    ~ReservedMemory();

    // From here on the bytes can be read, as zeros, and written. `place` and `size` are multiples
    // of the page. False when the kernel refuses, with errno.
    [[nodiscard]] bool use(std::size_t place, std::size_t size) noexcept;
    // From here on the kernel may use huge pages for the bytes. False when it makes none.
    bool prefer_huge_pages(std::size_t place, std::size_t size) noexcept;
    // Gives the memory behind it back to the kernel; the bytes are zeros again. What was preferred
    // still holds for the pages that come next.
    void discard(std::size_t place, std::size_t size) noexcept;

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    bool reserve(std::size_t size) noexcept;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace dwcp::os
