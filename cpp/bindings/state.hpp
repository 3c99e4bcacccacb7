// The buffers that a state consists of.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "buffer.hpp"
#include "dwcp/delta/part.hpp"

namespace dwcp::bindings {

// The buffers of a state, one or several, with their places.
class State {
  public:
    State(nb::handle state, const std::optional<std::vector<std::uint64_t>>& offsets,
          const char* argument) {
        if (PyObject_CheckBuffer(state.ptr()) != 0) {
            if (offsets) {
                throw std::invalid_argument("offsets go with a sequence of buffers, not with one");
            }
            buffers_.emplace_back(state, argument);
            add(0);
            return;
        }
        if (PySequence_Check(state.ptr()) == 0) {
            PyErr_Format(PyExc_TypeError, "%s must be a buffer or a sequence of buffers, not %R",
                         argument, reinterpret_cast<PyObject*>(Py_TYPE(state.ptr())));
            throw nb::python_error();
        }
        for (nb::handle item : nb::borrow<nb::sequence>(state)) {
            const std::size_t index = buffers_.size();
            buffers_.emplace_back(item, argument);
            if (offsets && index >= offsets->size()) {
                throw std::invalid_argument("offsets must have one entry for each buffer");
            }
            add(offsets ? (*offsets)[index] : (length_ + 63) / 64 * 64);
        }
        if (offsets && offsets->size() != buffers_.size()) {
            throw std::invalid_argument("offsets must have one entry for each buffer");
        }
    }

    [[nodiscard]] std::span<const delta::Part> parts() const { return parts_; }
    [[nodiscard]] std::uint64_t length() const { return length_; }

  private:
    void add(std::uint64_t offset) {
        const auto bytes = buffers_.back().bytes();
        if (offset > std::numeric_limits<std::uint64_t>::max() - bytes.size()) {
            throw std::invalid_argument("offsets: a part ends beyond 2^64 bytes");
        }
        parts_.push_back({offset, bytes});
        length_ = std::max(length_, offset + bytes.size());
    }

    std::vector<Buffer> buffers_;
    std::vector<delta::Part> parts_;
    std::uint64_t length_ = 0;
};

}  // namespace dwcp::bindings
