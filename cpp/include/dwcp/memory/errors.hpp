// What pools refuse.
#pragma once

#include <new>
#include <stdexcept>

namespace dwcp::memory {

// What is put is nothing of the pool, or not in use.
struct NotInUse : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};
// There is no memory within the limit of the pool.
struct PoolExhausted : std::bad_alloc {
    // `text` stays where it is.
    explicit PoolExhausted(const char* text) noexcept : text_(text) {}
    [[nodiscard]] const char* what() const noexcept override { return text_; }

  private:
    const char* text_;
};

}  // namespace dwcp::memory
