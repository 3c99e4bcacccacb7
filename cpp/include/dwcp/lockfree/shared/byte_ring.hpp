// A ring of messages in shared memory, for any number of processes and threads on both sides.
//
// A message is seen as a whole or not at all: its place is made known by one store after its last
// byte, so that a process that dies in the midst of writing leaves nothing behind. Each side has a
// lock that names its owner; a dead owner's is taken over. The memory is mapped twice in a row:
// every message is one span, to be read and written in place. Needs dwcp::core.
//
// All calls may be made from any thread and process, also on one object; they are blocking in the
// strict sense, because a thread that is stopped with a side's lock holds up its side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "dwcp/lockfree/shared/segment.hpp"

namespace dwcp::lockfree::shared {

struct RingState;

class ByteRing : public Segment {
    // Only a ring makes messages.
    class Key {
        friend class ByteRing;
        Key() = default;
    };

  public:
    // Makes a ring that holds one message of `capacity` bytes, or several whose bytes, rounded up
    // to 8 and with 8 for each, are no more than the first one would take. Without a name it is
    // passed on by fd(). Throws std::invalid_argument for a capacity that is not from 1 to 2^40 or
    // a name that is not of 1 to 200 letters, digits and "._-", std::system_error with EEXIST for a
    // name that is taken.
    static ByteRing create(const std::optional<std::string>& name, std::uint64_t capacity);
    // Joins one. Throws std::system_error with ENOENT when there is none, CorruptSegment when the
    // file is no ring of this version or PID namespace, or says of itself what is not so.
    static ByteRing attach(const std::string& name);
    static ByteRing attach(int fd);

    ByteRing(ByteRing&&) noexcept;
    ~ByteRing();

    // A message that is being written; dropped unless it is committed. Keeps the other producers
    // out.
    class Writing {
      public:
        Writing(Key, RingState& ring, std::span<std::byte> room) : ring_(&ring), room_(room) {}
        Writing(Writing&& other) noexcept
            : ring_(std::exchange(other.ring_, nullptr)), room_(other.room_) {}
        Writing& operator=(Writing&&) = delete;
        ~Writing();
        [[nodiscard]] std::span<std::byte> room() const noexcept { return room_; }
        // Makes the first `size` bytes known as a message; throws std::invalid_argument beyond
        // room().
        void commit(std::size_t size);

      private:
        RingState* ring_;
        std::span<std::byte> room_;
    };
    // The oldest message; it stays unless it is consumed. Keeps the other consumers out.
    class Reading {
      public:
        Reading(Key, RingState& ring, std::span<const std::byte> data)
            : ring_(&ring), data_(data) {}
        Reading(Reading&& other) noexcept
            : ring_(std::exchange(other.ring_, nullptr)), data_(other.data_) {}
        Reading& operator=(Reading&&) = delete;
        ~Reading();
        [[nodiscard]] std::span<const std::byte> data() const noexcept { return data_; }
        void consume();

      private:
        RingState* ring_;
        std::span<const std::byte> data_;
    };

    // Never wait, but for a few microseconds for the lock of a side. Nothing when there is no room,
    // no message, or somebody has the lock. Throw std::invalid_argument for a size beyond
    // capacity(), and CorruptSegment.
    [[nodiscard]] std::optional<Writing> try_reserve(std::size_t size);
    [[nodiscard]] std::optional<Reading> try_read();
    [[nodiscard]] bool try_put(std::span<const std::byte> message);

    // May be outdated as soon as they are known.
    [[nodiscard]] bool empty() const noexcept;
    // Whether try_reserve() and try_read() would give something.
    [[nodiscard]] bool has_room(std::uint64_t size) const noexcept;
    [[nodiscard]] bool has_message() const noexcept;
    [[nodiscard]] std::uint64_t used_bytes() const noexcept;
    [[nodiscard]] std::uint64_t messages() const noexcept;
    [[nodiscard]] std::uint64_t capacity() const noexcept;

  private:
    explicit ByteRing(std::unique_ptr<RingState> state) noexcept;
    [[nodiscard]] RingState& ring() const noexcept;
};

}  // namespace dwcp::lockfree::shared
