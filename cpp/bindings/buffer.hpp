// The buffer protocol of Python as spans.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <span>

namespace dwcp::bindings {

namespace nb = nanobind;

// Fills `view` with C-contiguous memory; its length is in bytes. False with TypeError naming
// `argument` set when `object` is no buffer, BufferError when it is not C-contiguous or, for a
// writable one, read-only.
[[nodiscard]] bool get_buffer(PyObject* object, const char* argument, bool writable,
                              Py_buffer& view) noexcept;

// A C-contiguous buffer, held while this object lives. Release it with the GIL held.
class Buffer {
  public:
    // Raises what get_buffer() sets.
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

    // As it was got: one-dimensional bytes, whether they may be written to, and whose they are.
    [[nodiscard]] const Py_buffer& view() const noexcept { return view_; }

  private:
    Py_buffer view_{};
};

// Uninitialised bytes object and its contents.
nb::bytes new_bytes(std::size_t size);
std::span<std::byte> contents(nb::bytes& object);
nb::bytes to_bytes(std::span<const std::byte> data);

// From this length on the GIL is released. Handing it over and back takes about 40 ns when nobody
// wants it, and up to a whole turn of another thread when somebody does; the fastest kernels need
// 300 ns for so many bytes and the portable ones some 50 us, one hundredth of such a turn.
inline constexpr std::size_t kReleaseBytesMin = std::size_t{64} << 10;

// Runs `work` without the GIL when `size` bytes make that worth while.
template <typename Work>
auto without_gil(std::size_t size, Work&& work) {
    if (size < kReleaseBytesMin) return work();
    nb::gil_scoped_release release;
    return work();
}

}  // namespace dwcp::bindings
