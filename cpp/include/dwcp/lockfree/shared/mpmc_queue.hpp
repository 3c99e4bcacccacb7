// A bounded queue of messages in shared memory, each in a slot of its own: any number of processes
// and threads write, and read, at the same time.
//
// A slot has one word that says whose turn it is and who is at it, so that to claim it, to make it
// known and to give it back is one atomic operation each. What a process that died had claimed is
// put right by the others: a message that it was writing was never there, one that it was reading
// is there again. Needs dwcp::core. After D. Vyukov's bounded MPMC queue.
//
// All calls may be made from any thread and process, also on one object. Order: as in one queue,
// except that a message that comes back is read when somebody sees it, before those that follow it
// or after some of them. Progress: non-blocking but not lock-free. A producer that is stopped
// before commit() holds up the consumers; a consumer that is stopped before consume() holds up
// nobody until the producers come round to its slot.
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

struct QueueState;
struct Slot;

class MpmcQueue : public Segment {
    // Only a queue makes messages.
    class Key {
        friend class MpmcQueue;
        Key() = default;
    };

  public:
    // Makes a queue for `capacity` messages, from 1 to 2^32, of up to `slot_bytes`, from 1 to 2^40.
    // Without a name it is passed on by fd(). Throws std::invalid_argument for what is out of
    // bounds or a name that is not of 1 to 200 letters, digits and "._-", std::system_error with
    // EEXIST for a name that is taken.
    static MpmcQueue create(const std::optional<std::string>& name, std::uint64_t capacity,
                            std::uint64_t slot_bytes);
    // Joins one. Throws std::system_error with ENOENT when there is none, CorruptSegment when the
    // file is no queue of this version or PID namespace, or says of itself what is not so.
    static MpmcQueue attach(const std::string& name);
    static MpmcQueue attach(int fd);

    MpmcQueue(MpmcQueue&&) noexcept;
    ~MpmcQueue();

    // A message that is being written; dropped unless it is committed.
    class Writing {
      public:
        Writing(Key, QueueState& queue, Slot& slot, std::uint64_t claim, std::span<std::byte> room)
            : queue_(&queue), slot_(&slot), claim_(claim), room_(room) {}
        Writing(Writing&& other) noexcept
            : queue_(std::exchange(other.queue_, nullptr)),
              slot_(other.slot_),
              claim_(other.claim_),
              room_(other.room_) {}
        Writing& operator=(Writing&&) = delete;
        ~Writing();
        [[nodiscard]] std::span<std::byte> room() const noexcept { return room_; }
        // Makes the first `size` bytes known as a message; throws std::invalid_argument beyond
        // room().
        void commit(std::size_t size);

      private:
        QueueState* queue_;
        Slot* slot_;
        std::uint64_t claim_;  // the word of the slot meanwhile
        std::span<std::byte> room_;
    };
    // The oldest message that nobody else is at; it comes back unless it is consumed.
    class Reading {
      public:
        Reading(Key, QueueState& queue, Slot& slot, std::uint64_t claim,
                std::span<const std::byte> data)
            : queue_(&queue), slot_(&slot), claim_(claim), data_(data) {}
        Reading(Reading&& other) noexcept
            : queue_(std::exchange(other.queue_, nullptr)),
              slot_(other.slot_),
              claim_(other.claim_),
              data_(other.data_) {}
        Reading& operator=(Reading&&) = delete;
        ~Reading();
        [[nodiscard]] std::span<const std::byte> data() const noexcept { return data_; }
        void consume();

      private:
        QueueState* queue_;
        Slot* slot_;
        std::uint64_t claim_;  // the word of the slot meanwhile
        std::span<const std::byte> data_;
    };

    // Never wait. Nothing when there is no room, or no message. Throw std::invalid_argument for a
    // size beyond slot_bytes(), and CorruptSegment.
    [[nodiscard]] std::optional<Writing> try_reserve(std::size_t size);
    [[nodiscard]] std::optional<Reading> try_read();
    [[nodiscard]] bool try_put(std::span<const std::byte> message);

    // May be outdated as soon as they are known.
    [[nodiscard]] bool empty() const noexcept;
    // Whether try_reserve() and try_read() would give something.
    [[nodiscard]] bool has_room(std::uint64_t size) const noexcept;
    [[nodiscard]] bool has_message() const noexcept;
    // With those that are being read.
    [[nodiscard]] std::uint64_t messages() const noexcept;
    [[nodiscard]] std::uint64_t capacity() const noexcept;
    [[nodiscard]] std::uint64_t slot_bytes() const noexcept;

  private:
    explicit MpmcQueue(std::unique_ptr<QueueState> state) noexcept;
    [[nodiscard]] QueueState& queue() const noexcept;
};

}  // namespace dwcp::lockfree::shared
