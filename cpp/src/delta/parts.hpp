// The rules for parts of a state.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "dwcp/delta/part.hpp"

namespace dwcp::delta {

// Throws std::invalid_argument unless they are ascending, disjoint and within `length` bytes.
inline void check_parts(std::span<const Part> parts, std::uint64_t length) {
    std::uint64_t end = 0;
    for (const Part& part : parts) {
        if (part.offset < end || part.offset > length || part.bytes.size() > length - part.offset) {
            throw std::invalid_argument(
                "offsets: the parts of a state must be ascending, disjoint and within its " +
                std::to_string(length) + " bytes; one stands at " + std::to_string(part.offset));
        }
        end = part.offset + part.bytes.size();
    }
}

// Where the state ends that ends with its last part.
inline std::uint64_t end_of(std::span<const Part> parts) {
    return parts.empty() ? 0 : parts.back().offset + parts.back().bytes.size();
}

}  // namespace dwcp::delta
