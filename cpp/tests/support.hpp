// What the C++ tests share: pseudo-random bytes, guarded memory, loops over instruction sets.
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "dwcp/isa/isa.hpp"
#include "kernels/dispatch.hpp"

namespace dwcp::testing {

// splitmix64: the same numbers everywhere.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

  private:
    std::uint64_t state_;
};

inline std::vector<std::uint8_t> random_bytes(std::size_t size, std::uint64_t seed) {
    Random random(seed);
    std::vector<std::uint8_t> bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    return bytes;
}

inline std::span<const std::byte> as_bytes(const std::vector<std::uint8_t>& bytes) {
    return std::as_bytes(std::span(bytes));
}
inline std::span<std::byte> as_writable(std::vector<std::uint8_t>& bytes) {
    return std::as_writable_bytes(std::span(bytes));
}

// Runs the body for each kernel table that this processor can run, reached through the dispatch
// with calls counted, and fails unless that table did the work.
template <typename Body>
void for_each_tier(Body&& body) {
    for (const std::string& name : isa::available()) {
        INFO("instruction set ", name);
        isa::force(name);
        isa::count_calls(true);
        const std::uint64_t before = isa::counted_calls(name);
        body(kernels::active());
        CHECK(isa::compiled_for() == name);
        CHECK(isa::counted_calls(name) > before);
        isa::count_calls(false);
    }
    isa::force(isa::available().back());
}

// Pages of memory, one by default, between two that kill whoever touches them.
class GuardedPage {
  public:
    explicit GuardedPage(std::size_t pages = 1)
        : guard_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))), size_(pages * guard_) {
        void* const area = mmap(nullptr, size_ + 2 * guard_, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(area != MAP_FAILED);
        area_ = static_cast<std::uint8_t*>(area);
        REQUIRE(mprotect(area_, guard_, PROT_NONE) == 0);
        REQUIRE(mprotect(area_ + guard_ + size_, guard_, PROT_NONE) == 0);
    }
    GuardedPage(const GuardedPage&) = delete;
    GuardedPage& operator=(const GuardedPage&) = delete;
    ~GuardedPage() { munmap(area_, size_ + 2 * guard_); }

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::uint8_t* first() const { return area_ + guard_; }
    // The last `count` bytes.
    [[nodiscard]] std::uint8_t* last(std::size_t count) const {
        return area_ + guard_ + size_ - count;
    }

  private:
    std::size_t guard_;
    std::size_t size_;
    std::uint8_t* area_;
};

}  // namespace dwcp::testing
