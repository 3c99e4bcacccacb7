// Room for one item that is constructed and destroyed by hand.
#pragma once

#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace dwcp::lockfree::detail {

// Items that fit into a word that the processor reads in one piece. They are kept in atomics, read
// and written without an order of their own, which costs nothing and lets a thread look at an item
// that another one may be taking away.
template <typename T>
inline constexpr bool kIsWord =
    std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T> &&
    (sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8);

// Whether items behind such an iterator can be copied as bytes.
template <typename Iterator, typename T>
inline constexpr bool kIsMemory = [] {
    if constexpr (std::contiguous_iterator<Iterator>) {
        return std::is_trivially_copyable_v<T> &&
               std::is_same_v<std::remove_cv_t<std::iter_value_t<Iterator>>, T>;
    } else {
        return false;
    }
}();

template <typename T, typename Atomics, bool kWord = kIsWord<T>>
class Cell {
  public:
    Cell() noexcept {}
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;
    ~Cell() {}

    template <typename Allocator, typename... Arguments>
    void construct(Allocator& allocator, Arguments&&... arguments) {
        std::allocator_traits<Allocator>::construct(allocator, std::addressof(item_),
                                                    std::forward<Arguments>(arguments)...);
    }
    template <typename Allocator>
    void destroy(Allocator& allocator) noexcept {
        std::allocator_traits<Allocator>::destroy(allocator, std::addressof(item_));
    }
    // The item, which is destroyed by the next call.
    T&& take() noexcept { return std::move(item_); }
    // Only while no other thread uses the structure.
    const T& look() const noexcept { return item_; }
    // Of the item, and of those in the cells that follow in an array.
    void* address() noexcept { return std::addressof(item_); }

  private:
    union {
        T item_;
    };
};

template <typename T, typename Atomics>
class Cell<T, Atomics, true> {
  public:
    template <typename Allocator, typename... Arguments>
    void construct(Allocator&, Arguments&&... arguments) {
        item_.store(T(std::forward<Arguments>(arguments)...), std::memory_order_relaxed);
    }
    template <typename Allocator>
    void destroy(Allocator&) noexcept {}
    T take() const noexcept { return item_.load(std::memory_order_relaxed); }
    T look() const noexcept { return item_.load(std::memory_order_relaxed); }

  private:
    typename Atomics::template atomic<T> item_;
};

}  // namespace dwcp::lockfree::detail
