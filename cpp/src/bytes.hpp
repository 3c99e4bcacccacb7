// Small helpers about bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dwcp {

inline const std::uint8_t* as_u8(const std::byte* p) {
    return reinterpret_cast<const std::uint8_t*>(p);
}
inline std::uint8_t* as_u8(std::byte* p) { return reinterpret_cast<std::uint8_t*>(p); }

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
