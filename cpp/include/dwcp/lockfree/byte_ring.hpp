// A ring of bytes for one producer and one consumer, who work in its memory without a copy.
//
// The memory is mapped twice in a row: every reservation and all that can be read are one span,
// also where they run over the end. The counts work as those of SpscRing. Needs dwcp::core.
//
// Every operation is wait-free. reserve, commit and write may be called by one thread at a time,
// the producer; readable, consume, read and clear by one thread at a time, the consumer; size,
// empty, full by any thread, and they may be outdated as soon as they are known. For another thread
// to become the producer or the consumer it must have synchronised with the one before. After
// fork(2) the child must not use the ring.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/os/mirrored_memory.hpp"

namespace dwcp::lockfree {

template <typename Atomics = StdAtomics>
class BasicByteRing {
  public:
    // Throws std::invalid_argument unless capacity, in bytes, is from 1 to 2^46, and
    // std::system_error when there is no memory. Up to twice the capacity in memory is taken, and
    // at least a page.
    explicit BasicByteRing(std::size_t capacity) : capacity_(capacity), memory_(capacity) {}
    BasicByteRing(const BasicByteRing&) = delete;
    BasicByteRing& operator=(const BasicByteRing&) = delete;

    // Producer. `size` bytes to write to, which commit() makes known; empty when they do not fit
    // now. A second call without a commit() between gives the same place.
    [[nodiscard]] std::span<std::byte> reserve(std::size_t size) noexcept {
        const std::uint64_t tail = put_.load(std::memory_order_relaxed);
        if (room(tail, size) < size) return {};
        return {memory_.at(tail & (memory_.size() - 1)), size};
    }
    // Producer. Makes the first `size` bytes of the reservation known. Throws std::invalid_argument
    // when that is more than could have been reserved.
    void commit(std::size_t size) {
        const std::uint64_t tail = put_.load(std::memory_order_relaxed);
        check("commit", size, room(tail, size));
        put_.store(tail + size, std::memory_order_release);  // pairs with bytes()
    }
    // Producer. Copies as many of the bytes as fit, and returns how many.
    std::size_t write(std::span<const std::byte> data) noexcept {
        const std::uint64_t tail = put_.load(std::memory_order_relaxed);
        const std::size_t fitting = std::min(data.size(), room(tail, data.size()));
        if (fitting > 0) std::memcpy(reserve(fitting).data(), data.data(), fitting);
        put_.store(tail + fitting, std::memory_order_release);  // pairs with bytes()
        return fitting;
    }

    // Consumer. All bytes that are there; they stay until consume().
    [[nodiscard]] std::span<const std::byte> readable() noexcept {
        const std::uint64_t head = taken_.load(std::memory_order_relaxed);
        const std::size_t there = bytes(head, capacity_);
        return {memory_.at(head & (memory_.size() - 1)), there};
    }
    // Consumer. Gives the place of the first `size` bytes back. Throws std::invalid_argument when
    // there are fewer.
    void consume(std::size_t size) {
        const std::uint64_t head = taken_.load(std::memory_order_relaxed);
        check("consume", size, bytes(head, size));
        taken_.store(head + size, std::memory_order_release);  // pairs with room()
    }
    // Consumer. Copies as many bytes as are there and fit, and returns how many.
    std::size_t read(std::span<std::byte> out) noexcept {
        const std::uint64_t head = taken_.load(std::memory_order_relaxed);
        const std::size_t there = std::min(out.size(), bytes(head, out.size()));
        if (there > 0) {
            std::memcpy(out.data(), memory_.at(head & (memory_.size() - 1)), there);
            taken_.store(head + there, std::memory_order_release);  // pairs with room()
        }
        return there;
    }
    // Consumer. Drops all bytes.
    void clear() noexcept {
        taken_.store(put_.load(std::memory_order_acquire), std::memory_order_release);
    }

    [[nodiscard]] std::size_t size() const noexcept {
        const std::uint64_t head = taken_.load(std::memory_order_acquire);
        const std::uint64_t tail = put_.load(std::memory_order_acquire);
        return std::min<std::size_t>(tail - head, capacity_);
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] bool full() const noexcept { return size() == capacity_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  private:
    using Count = typename Atomics::template atomic<std::uint64_t>;

    static void check(const char* call, std::size_t size, std::size_t max) {
        if (size > max) {
            throw std::invalid_argument(std::string(call) + ": size must be at most " +
                                        std::to_string(max) + " bytes, but is " +
                                        std::to_string(size));
        }
    }
    std::size_t room(std::uint64_t tail, std::size_t wanted) noexcept {
        if (capacity_ - (tail - taken_seen_) < wanted) {
            taken_seen_ = taken_.load(std::memory_order_acquire);  // pairs with consume()
        }
        return capacity_ - (tail - taken_seen_);
    }
    std::size_t bytes(std::uint64_t head, std::size_t wanted) noexcept {
        if (put_seen_ - head < wanted) {
            put_seen_ = put_.load(std::memory_order_acquire);  // pairs with commit()
        }
        return put_seen_ - head;
    }

    const std::size_t capacity_;
    os::MirroredMemory memory_;
    // The producer's.
    alignas(kSeparationBytes) Count put_{0};
    std::uint64_t taken_seen_ = 0;
    // The consumer's.
    alignas(kSeparationBytes) Count taken_{0};
    std::uint64_t put_seen_ = 0;
};

using ByteRing = BasicByteRing<>;

}  // namespace dwcp::lockfree
