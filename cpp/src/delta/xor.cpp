#include "dwcp/delta/xor.hpp"

#include <stdexcept>
#include <string>

#include "bytes.hpp"
#include "dwcp/os/machine.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::delta {

void xor_bytes(std::span<std::byte> out, std::span<const std::byte> a,
               std::span<const std::byte> b) {
    if (a.size() != b.size() || out.size() != a.size()) {
        throw std::invalid_argument("xor: a, b and out must have equal lengths, not " +
                                    std::to_string(a.size()) + ", " + std::to_string(b.size()) +
                                    " and " + std::to_string(out.size()) + " bytes");
    }
    const bool in_place = out.data() == a.data() || out.data() == b.data();
    if ((out.data() != a.data() && overlap(out, a)) ||
        (out.data() != b.data() && overlap(out, b))) {
        throw std::invalid_argument("xor: out must be a or b exactly, or overlap neither");
    }
    const kernels::Table& kernels = kernels::active();
    const bool beyond_cache = out.size() >= xor_streaming_bytes_min();
    const auto kernel = beyond_cache && !in_place ? kernels.xor_bytes_streaming : kernels.xor_bytes;
    kernel(as_u8(out.data()), as_u8(a.data()), as_u8(b.data()), out.size());
}

std::size_t xor_streaming_bytes_min() {
    return os::store_cache_bytes() / 3 + 1;
}

}  // namespace dwcp::delta
