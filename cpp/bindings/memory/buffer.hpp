// Buffers of a pool as Python objects.
#pragma once

#include <atomic>
#include <cstddef>

#include "memory/source.hpp"

namespace dwcp::bindings::memory {

// How many views of a buffer there are, and whether it was put: then the last view gives the memory
// back. With the GIL plain numbers are enough.
class Uses {
  public:
    // False when it was put.
    bool add_view() noexcept;
    // The rest are true when the memory is to be given back now.
    bool drop_view() noexcept;
    // `before` says whether it was put before.
    bool put(bool& before) noexcept;
    [[nodiscard]] bool was_put() const noexcept {
        return (state_.load(std::memory_order_relaxed) & kPut) != 0;
    }

  private:
    static constexpr unsigned kPut = 1;
    static constexpr unsigned kView = 2;
    std::atomic<unsigned> state_{0};
};

struct Buffer {
    PyObject object;
    Source* source;  // held
    void* data;
    std::size_t size;
    Uses uses;

    static Buffer& of(PyObject* self) noexcept { return *reinterpret_cast<Buffer*>(self); }

    // A new reference; takes over `data`, and gives it back where there is no memory for the
    // object.
    static PyObject* make(Source& source, void* data, std::size_t size) noexcept;
    // False with an exception set when it was put before.
    bool put() noexcept;
    void give_back() noexcept;
};

// Set by make_buffer_type(), and when the type of buffer pools is made.
extern PyTypeObject* buffer_type;
extern PyTypeObject* pool_type;
void make_buffer_type(nb::module_& module);

}  // namespace dwcp::bindings::memory
