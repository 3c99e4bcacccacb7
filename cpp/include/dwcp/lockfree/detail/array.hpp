// An array of fixed length whose elements are made in place: for types that cannot be moved.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

namespace dwcp::lockfree::detail {

template <typename Element, typename Allocator>
class Array {
    using Traits = typename std::allocator_traits<Allocator>::template rebind_traits<Element>;
    using ElementAllocator = typename Traits::allocator_type;

  public:
    Array(std::size_t size, const Allocator& allocator)
        : allocator_(allocator), size_(size), elements_(Traits::allocate(allocator_, size)) {
        static_assert(std::is_nothrow_default_constructible_v<Element>);
        std::uninitialized_default_construct_n(elements_, size);
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() {
        std::destroy_n(elements_, size_);
        Traits::deallocate(allocator_, elements_, size_);
    }

    Element& operator[](std::size_t index) noexcept { return elements_[index]; }
    const Element& operator[](std::size_t index) const noexcept { return elements_[index]; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    [[no_unique_address]] ElementAllocator allocator_;
    std::size_t size_;
    typename Traits::pointer elements_;
};

inline std::size_t checked_capacity(std::size_t capacity) {
    constexpr std::size_t kMax = std::size_t{1} << 48;
    if (capacity < 1 || capacity > kMax) {
        throw std::invalid_argument("capacity must be from 1 to 2^48, but is " +
                                    std::to_string(capacity));
    }
    return capacity;
}

}  // namespace dwcp::lockfree::detail
