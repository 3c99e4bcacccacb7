// A ring of messages between the threads of a process, as adapter of a channel.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "dwcp/error.hpp"
#include "dwcp/lockfree/byte_ring.hpp"
#include "dwcp/os/process.hpp"
#include "lockfree/structure.hpp"

namespace dwcp::bindings::lockfree::messages {

// The byte ring of C++ has one producer and one consumer: here, threads take turns on a side. A
// message is its length and its bytes, rounded up to 8. All calls are made with the GIL, where
// there is one: Waiters want that.
class ThreadRing {
    // Who is at a side, and who waits for it to go on.
    struct Side {
        alignas(dwcp::lockfree::kSeparationBytes) std::atomic<bool> taken{false};
        std::atomic<bool> wanted{false};         // by somebody who failed to take it
        std::atomic<std::uint64_t> messages{0};  // that went by
        Waiters waiters;
    };
    // A message in hand: whoever has one has its side.
    class InHand {
      public:
        InHand(ThreadRing& ring, Side& side) noexcept : ring_(&ring), side_(&side) {}
        InHand(InHand&& other) noexcept
            : ring_(std::exchange(other.ring_, nullptr)), side_(other.side_) {}
        InHand& operator=(InHand&&) = delete;
        ~InHand() {
            if (ring_ != nullptr) release();
        }

      protected:
        // What the message is followed by is seen by all who wait.
        void pass() noexcept {
            side_->messages.fetch_add(1, std::memory_order_relaxed);
            Side& other = side_ == &ring_->producer_ ? ring_->consumer_ : ring_->producer_;
            release();
            ring_ = nullptr;
            other.waiters.notify(Waiters::kAll);
        }
        ThreadRing* ring_;

      private:
        void release() noexcept {
            side_->taken.store(false, std::memory_order_seq_cst);  // pairs with try_take()
            if (!side_->wanted.load(std::memory_order_seq_cst)) return;
            side_->wanted.store(false, std::memory_order_seq_cst);
            side_->waiters.notify(Waiters::kAll);
        }
        Side* side_;
    };

  public:
    class Writing : public InHand {
      public:
        [[nodiscard]] std::span<std::byte> room() const noexcept { return room_; }
        void commit(std::size_t size) {
            const std::uint64_t length = size;
            std::memcpy(room_.data() - kHeaderBytes, &length, sizeof length);
            ring_->bytes_.commit(needed(size));
            pass();
        }

      private:
        friend class ThreadRing;
        using InHand::InHand;
        std::span<std::byte> room_;
    };
    class Reading : public InHand {
      public:
        [[nodiscard]] std::span<const std::byte> data() const noexcept { return data_; }
        void consume() {
            ring_->bytes_.consume(needed(data_.size()));
            pass();
        }

      private:
        friend class ThreadRing;
        using InHand::InHand;
        std::span<const std::byte> data_;
    };

    // Throws std::invalid_argument unless capacity, in bytes, is from 1 to 2^40.
    explicit ThreadRing(std::size_t capacity)
        : capacity_(checked(capacity)), bytes_(needed(capacity)) {}

    std::optional<Writing> try_reserve(std::size_t size) {
        if (size > capacity_) {
            throw std::invalid_argument("a message must have at most " + std::to_string(capacity_) +
                                        " bytes, the capacity, but has " + std::to_string(size));
        }
        if (is_shut_down() || !try_take(producer_)) return std::nullopt;
        Writing writing(*this, producer_);
        const std::span<std::byte> room = bytes_.reserve(needed(size));
        if (room.empty()) return std::nullopt;
        writing.room_ = room.subspan(kHeaderBytes, size);
        return writing;
    }
    std::optional<Reading> try_read() {
        if (!try_take(consumer_)) return std::nullopt;
        Reading reading(*this, consumer_);
        const std::span<const std::byte> there = bytes_.readable();
        if (there.empty()) return std::nullopt;
        std::uint64_t length = 0;
        std::memcpy(&length, there.data(), sizeof length);
        reading.data_ = there.subspan(kHeaderBytes, length);
        return reading;
    }

    template <typename Attempt>
    bool wait_until(bool putting, const Patience& patience, Attempt&& attempt) {
        return lockfree::wait_until(
            putting, waiters(putting), patience, [this] { return is_shut_down(); }, attempt);
    }

    void shutdown() noexcept {
        shut_down_.store(true, std::memory_order_seq_cst);
        producer_.waiters.notify(Waiters::kAll);
        consumer_.waiters.notify(Waiters::kAll);
    }
    [[nodiscard]] bool is_shut_down() const noexcept {
        return shut_down_.load(std::memory_order_acquire);
    }
    void leave() noexcept {}
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    [[nodiscard]] std::uint64_t messages() const noexcept {
        const std::uint64_t got = consumer_.messages.load(std::memory_order_acquire);
        const std::uint64_t put = producer_.messages.load(std::memory_order_acquire);
        return put > got ? put - got : 0;
    }
    [[nodiscard]] bool has_room(std::size_t size) const noexcept {
        return size <= capacity_ && bytes_.size() + needed(size) <= bytes_.capacity() &&
               !producer_.taken.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool has_message() const noexcept {
        return !empty() && !consumer_.taken.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t used_bytes() const noexcept { return bytes_.size(); }
    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
    Waiters& waiters(bool for_room) noexcept { return (for_room ? producer_ : consumer_).waiters; }

  private:
    static constexpr std::size_t kHeaderBytes = 8;
    static constexpr std::size_t kCapacityMax = std::size_t{1} << 40;

    static std::size_t needed(std::size_t size) noexcept {
        return kHeaderBytes + (size + 7) / 8 * 8;
    }
    static std::size_t checked(std::size_t capacity) {
        if (capacity < 1 || capacity > kCapacityMax) {
            throw std::invalid_argument("capacity must be from 1 to 2^40 bytes, but is " +
                                        std::to_string(capacity));
        }
        return capacity;
    }
    bool try_take(Side& side) {
        // The child does not even have the memory.
        if (os::this_process() != process_) {
            throw Error(
                "the ring belongs to the process that made it: between processes, use "
                "dwcp.lockfree.shared.ByteRing");
        }
        if (!side.taken.exchange(true, std::memory_order_seq_cst)) return true;
        // Either who has it sees this, or it is seen here that he is through.
        side.wanted.store(true, std::memory_order_seq_cst);
        return !side.taken.exchange(true, std::memory_order_seq_cst);
    }

    const os::ProcessIdentity process_ = os::this_process();
    const std::size_t capacity_;
    dwcp::lockfree::ByteRing bytes_;
    std::atomic<bool> shut_down_{false};
    Side producer_;
    Side consumer_;
};

}  // namespace dwcp::bindings::lockfree::messages
