// Values that share no line of the cache with others, and arrays that begin where one wants it.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "dwcp/cache/lines.hpp"

namespace dwcp::cache {

// A value with lines of its own: what threads write to its neighbours does not slow down who uses
// it. In an array each element has its own.
template <typename T>
struct alignas(std::max(kSeparationBytes, alignof(T))) Padded {
    T value{};

    T& operator*() noexcept { return value; }
    const T& operator*() const noexcept { return value; }
    T* operator->() noexcept { return &value; }
    const T* operator->() const noexcept { return &value; }
};

// A number that threads add to, with lines of its own. All may be called from any thread. Beyond
// its bounds it wraps around.
template <std::integral T>
class alignas(kSeparationBytes) PaddedAtomic {
  public:
    explicit PaddedAtomic(T value = 0) noexcept : value_(value) {}
    PaddedAtomic(const PaddedAtomic&) = delete;
    PaddedAtomic& operator=(const PaddedAtomic&) = delete;

    // Acquire, which pairs with the release of add() and set(): what a thread did before those is
    // seen by who gets their value.
    [[nodiscard]] T get() const noexcept { return value_.load(std::memory_order_acquire); }
    // Release, which pairs with get() and add().
    void set(T value) noexcept { value_.store(value, std::memory_order_release); }
    // Returns the sum. Acquire and release, which pair with those of get(), set() and other calls:
    // the thread that brings a count to its end sees what all others did before they counted.
    T add(T number = 1) noexcept {
        using Unsigned = std::make_unsigned_t<T>;
        const T before = value_.fetch_add(number, std::memory_order_acq_rel);
        // Signed numbers must not overflow outside of an atomic one.
        return static_cast<T>(
            static_cast<Unsigned>(static_cast<Unsigned>(before) + static_cast<Unsigned>(number)));
    }

  private:
    static_assert(std::atomic<T>::is_always_lock_free);
    std::atomic<T> value_;
};

using PaddedCounter = PaddedAtomic<std::int64_t>;

// An array of a length that stays, which begins at a multiple of `alignment`; its elements are
// value-initialised. Can be moved, not copied.
template <typename T>
class AlignedArray {
  public:
    AlignedArray() noexcept = default;
    // Throws std::invalid_argument unless `alignment` is a power of two from alignof(T) on,
    // std::bad_alloc where there is not so much memory.
    explicit AlignedArray(std::size_t size, std::size_t alignment = kLineBytes)
        : elements_(allocate(size, alignment), Release{std::align_val_t{alignment}}) {
        std::uninitialized_value_construct_n(data(), size);
        elements_.get_deleter().size = size;
    }

    [[nodiscard]] T* data() const noexcept { return elements_.get(); }
    [[nodiscard]] std::size_t size() const noexcept {
        return elements_ == nullptr ? 0 : elements_.get_deleter().size;
    }
    [[nodiscard]] std::span<T> span() const noexcept { return {data(), size()}; }
    [[nodiscard]] T* begin() const noexcept { return data(); }
    [[nodiscard]] T* end() const noexcept { return data() + size(); }
    T& operator[](std::size_t index) const noexcept { return data()[index]; }

  private:
    struct Release {
        std::align_val_t alignment{};
        std::size_t size = 0;  // elements that are there
        void operator()(T* begin) const noexcept {
            std::destroy_n(begin, size);
            ::operator delete(begin, alignment);
        }
    };

    static T* allocate(std::size_t size, std::size_t alignment) {
        if (!std::has_single_bit(alignment) || alignment < alignof(T)) {
            throw std::invalid_argument("alignment must be a power of two from " +
                                        std::to_string(alignof(T)) + " on, but is " +
                                        std::to_string(alignment));
        }
        if (size > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
            throw std::bad_array_new_length();
        }
        return static_cast<T*>(::operator new(size * sizeof(T), std::align_val_t{alignment}));
    }

    std::unique_ptr<T, Release> elements_;
};

}  // namespace dwcp::cache
