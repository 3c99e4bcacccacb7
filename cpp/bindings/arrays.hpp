// NumPy arrays that take over what C++ functions return.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace dwcp::bindings {

// An array of uint64 of the given columns over the memory of `rows`, whose elements are structures
// of as many 64-bit numbers; it owns them.
template <std::size_t kColumns, typename Row>
auto to_array(std::vector<Row> rows) {
    namespace nb = nanobind;
    static_assert(sizeof(Row) == kColumns * sizeof(std::uint64_t));
    auto owned = std::make_unique<std::vector<Row>>(std::move(rows));
    auto* const data = reinterpret_cast<std::uint64_t*>(owned->data());
    const std::size_t count = owned->size();
    nb::capsule owner(owned.get(), [](void* p) noexcept {
        const std::unique_ptr<std::vector<Row>> taken(static_cast<std::vector<Row>*>(p));
    });
    static_cast<void>(owned.release());
    return nb::ndarray<nb::numpy, std::uint64_t, nb::shape<-1, kColumns>>(data, {count, kColumns},
                                                                          owner);
}

}  // namespace dwcp::bindings
