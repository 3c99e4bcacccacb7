// A ring of messages in shared memory, for any number of processes and threads on both sides.
//
// A message is seen as a whole or not at all: its place is made known by one store after its last
// byte, so that a process that dies in the midst of writing leaves nothing behind. Each side has a
// lock that names its owner; a dead owner's is taken over. The memory is mapped twice in a row:
// every message is one span, to be read and written in place. Needs dwcp::core.
//
// All calls may be made from any thread and process, also on one object; they are blocking in the
// strict sense, because a thread that is stopped with a side's lock holds up its side. All
// processes must be in one PID namespace. After fork(2) the child may go on with the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dwcp/error.hpp"
#include "dwcp/os/futex.hpp"

namespace dwcp::lockfree::shared {

// What another process left in the memory cannot be right.
struct CorruptRing : Error {
    using Error::Error;
};

enum class Outcome {
    kDone,
    kTimedOut,
    kShutDown,
    kPeerLost,  // the last one of the other side has died, and nobody came in its place
};

struct RingState;

class ByteRing {
  public:
    // Makes a ring that holds one message of `capacity` bytes, or several whose bytes, rounded up
    // to 8 and with 8 for each, are no more than the first one would take. Without a name it is
    // passed on by fd(). Throws std::invalid_argument for a capacity that is not from 1 to 2^40 or
    // a name that is not of 1 to 200 letters, digits and "._-", std::system_error with EEXIST for a
    // name that is taken.
    static ByteRing create(const std::optional<std::string>& name, std::uint64_t capacity);
    // Joins one. Throws std::system_error with ENOENT when there is none, CorruptRing when the file
    // is no ring of this version or PID namespace, or says of itself what is not so.
    static ByteRing attach(const std::string& name);
    static ByteRing attach(int fd);

    ByteRing(ByteRing&&) noexcept;
    ByteRing& operator=(ByteRing&&) = delete;
    ~ByteRing();

    // A message that is being written; dropped unless it is committed. Keeps the other producers
    // out.
    class Writing {
      public:
        Writing(Writing&& other) noexcept
            : ring_(std::exchange(other.ring_, nullptr)), room_(other.room_) {}
        Writing& operator=(Writing&&) = delete;
        ~Writing();
        [[nodiscard]] std::span<std::byte> room() const noexcept { return room_; }
        // Makes the first `size` bytes known as a message; throws std::invalid_argument beyond
        // room().
        void commit(std::size_t size);

      private:
        friend class ByteRing;
        Writing(RingState& ring, std::span<std::byte> room) : ring_(&ring), room_(room) {}
        RingState* ring_;
        std::span<std::byte> room_;
    };
    // The oldest message; it stays unless it is consumed. Keeps the other consumers out.
    class Reading {
      public:
        Reading(Reading&& other) noexcept
            : ring_(std::exchange(other.ring_, nullptr)), data_(other.data_) {}
        Reading& operator=(Reading&&) = delete;
        ~Reading();
        [[nodiscard]] std::span<const std::byte> data() const noexcept { return data_; }
        void consume();

      private:
        friend class ByteRing;
        Reading(RingState& ring, std::span<const std::byte> data) : ring_(&ring), data_(data) {}
        RingState* ring_;
        std::span<const std::byte> data_;
    };

    // Never wait, but for a few microseconds for the lock of a side. Nothing when there is no room,
    // no message, or somebody has the lock. Throw std::invalid_argument for a size beyond
    // capacity(), and CorruptRing.
    [[nodiscard]] std::optional<Writing> try_reserve(std::size_t size);
    [[nodiscard]] std::optional<Reading> try_read();
    [[nodiscard]] bool try_put(std::span<const std::byte> message);

    // Wait for room, or for a message: `attempt` is tried until it returns true. At least ten times
    // a second `check` is called, which may throw, and the other side is looked at.
    Outcome wait_for_room(const std::function<bool()>& attempt, const os::Deadline& deadline,
                          const std::function<void()>& check);
    Outcome wait_for_message(const std::function<bool()>& attempt, const os::Deadline& deadline,
                             const std::function<void()>& check);

    // From here on nothing is put, by anybody; what is there can still be got. Wakes all who wait.
    void shutdown() noexcept;
    [[nodiscard]] bool is_shut_down() const noexcept;

    // Takes no part any more until the next call, so that nobody waits for this handle. The
    // destructor does so too.
    void leave() noexcept;

    // May be outdated as soon as they are known.
    [[nodiscard]] bool empty() const noexcept;
    // Whether a message of `size` bytes would fit.
    [[nodiscard]] bool has_room(std::uint64_t size) const noexcept;
    [[nodiscard]] std::uint64_t used_bytes() const noexcept;
    [[nodiscard]] std::uint64_t messages() const noexcept;
    [[nodiscard]] std::uint64_t capacity() const noexcept;
    [[nodiscard]] int fd() const noexcept;

  private:
    explicit ByteRing(std::unique_ptr<RingState> state) noexcept;

    std::unique_ptr<RingState> state_;
};

struct SegmentInfo {
    std::string name;
    std::uint64_t capacity = 0;
    bool in_use = false;  // by a process that lives
};

// The caller's rings that have a name, and those of them that can be removed because nobody has
// them.
[[nodiscard]] std::vector<SegmentInfo> segments();
std::vector<std::string> remove_stale();
// False when there is none of that name.
bool unlink(const std::string& name);

}  // namespace dwcp::lockfree::shared
