// Small helpers about bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dwcp {

inline const std::uint8_t* as_u8(const std::byte* p) {
    return reinterpret_cast<const std::uint8_t*>(p);
}
inline std::uint8_t* as_u8(std::byte* p) {
    return reinterpret_cast<std::uint8_t*>(p);
}

// Whether two ranges share a byte.
inline bool overlap(std::span<const std::byte> a, std::span<const std::byte> b) {
    const auto a_first = reinterpret_cast<std::uintptr_t>(a.data());
    const auto b_first = reinterpret_cast<std::uintptr_t>(b.data());
    return a_first < b_first + b.size() && b_first < a_first + a.size();
}

// std::allocator that leaves new elements uninitialised, so that growing a buffer that is about to
// be filled does not write it twice.
template <typename T>
struct UninitializedAllocator : std::allocator<T> {
    template <typename U>
    struct rebind {
        using other = UninitializedAllocator<U>;
    };
    template <typename U>
    void construct(U* p) noexcept {
        ::new (static_cast<void*>(p)) U;
    }
    template <typename U, typename... Arguments>
    void construct(U* p, Arguments&&... arguments) {
        ::new (static_cast<void*>(p)) U(static_cast<Arguments&&>(arguments)...);
    }
};

}  // namespace dwcp
