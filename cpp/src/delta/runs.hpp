// Runs of set bits in a mask: what changed lines and changed bytes are iterated by.
#pragma once

#include <bit>
#include <cstdint>

namespace dwcp::delta {

// Calls visit(first, count) for each maximal run of set bits, ascending.
template <typename Visit>
inline void for_each_run(std::uint64_t mask, Visit&& visit) {
    while (mask != 0) {
        const unsigned first = static_cast<unsigned>(std::countr_zero(mask));
        const unsigned count = static_cast<unsigned>(std::countr_one(mask >> first));
        visit(first, count);
        if (first + count == 64) return;
        mask &= ~std::uint64_t{0} << (first + count);
    }
}

}  // namespace dwcp::delta
