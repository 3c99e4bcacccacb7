// The buffer protocol of Python as spans.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <span>

namespace dwcp::bindings {

namespace nb = nanobind;

// A C-contiguous buffer, held while this object lives. Release it with the GIL held.
class Buffer {
  public:
    // Raises TypeError naming `argument` when `object` is no buffer, BufferError when it is not
    // C-contiguous or, for a writable one, read-only.
    Buffer(nb::handle object, const char* argument, bool writable = false);
    Buffer(Buffer&& other) noexcept;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Buffer& operator=(Buffer&&) = delete;
    ~Buffer();

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return {static_cast<const std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
    }
    [[nodiscard]] std::span<std::byte> writable_bytes() const noexcept {
        return {static_cast<std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
    }

  private:
    Py_buffer view_{};
};

// Uninitialised bytes object and its contents.
nb::bytes new_bytes(std::size_t size);
std::span<std::byte> contents(nb::bytes& object);
nb::bytes to_bytes(std::span<const std::byte> data);

// From this length on, releasing the GIL costs little against the work done without it: handing
// it over and back takes about 40 ns, which XOR and checksums spend on a few kilobytes.
inline constexpr std::size_t kReleaseBytesMin = std::size_t{16} << 10;

// Runs `work` without the GIL when `size` bytes make that worth while.
template <typename Work>
auto without_gil(std::size_t size, Work&& work) {
    if (size < kReleaseBytesMin) return work();
    nb::gil_scoped_release release;
    return work();
}

}  // namespace dwcp::bindings
