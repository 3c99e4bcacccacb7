// Options of the encoder from Python's keyword arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dwcp/delta/delta.hpp"

namespace dwcp::bindings {

// Raises ValueError naming the argument and its choices.
delta::Options make_options(std::string_view codec, std::optional<int> level, std::string_view mode,
                            std::size_t block_size, std::optional<std::uint64_t> base_digest);

}  // namespace dwcp::bindings
