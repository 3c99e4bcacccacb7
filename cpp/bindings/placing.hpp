// Names of placings and of kinds of pages.
#pragma once

#include <stdexcept>
#include <string>

#include "dwcp/os/placed_memory.hpp"

namespace dwcp::bindings {

// Throws std::invalid_argument, naming the choices.
inline os::Placing to_placing(const std::string& name) {
    using os::Placing;
    if (name == "default") return Placing::kDefault;
    if (name == "bind") return Placing::kBind;
    if (name == "preferred") return Placing::kPreferred;
    if (name == "interleave") return Placing::kInterleave;
    throw std::invalid_argument(
        "placing must be 'default', 'bind', 'preferred' or 'interleave', but is '" + name + "'");
}

inline const char* name_of(os::PageKind kind) noexcept {
    switch (kind) {
        case os::PageKind::kTransparent:
            return "transparent";
        case os::PageKind::kHugetlb:
            return "hugetlb";
        case os::PageKind::kPlain:
            break;
    }
    return "plain";
}

}  // namespace dwcp::bindings
