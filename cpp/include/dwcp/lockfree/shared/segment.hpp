// What the structures in shared memory have in common: how processes find them, wait for them, and
// learn that others have died. Needs dwcp::core.
//
// All processes must be in one PID namespace. After fork(2) the child may go on with the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dwcp/error.hpp"
#include "dwcp/os/futex.hpp"

namespace dwcp::lockfree::shared {

// What another process left in the memory cannot be right.
struct CorruptSegment : Error {
    using Error::Error;
};

enum class Outcome {
    kDone,
    kTimedOut,
    kShutDown,
    kPeerLost,  // the last one of the other side has died, and nobody came in its place
};

struct SegmentState;

// A handle of one process. All calls may be made from any thread.
class Segment {
  public:
    Segment(const Segment&) = delete;
    Segment& operator=(const Segment&) = delete;

    // Wait for room, or for a message: `attempt` is tried until it returns true. At least ten times
    // a second `check` is called, which may throw, and the other side is looked at.
    Outcome wait_for_room(const std::function<bool()>& attempt, const os::Deadline& deadline,
                          const std::function<void()>& check);
    Outcome wait_for_message(const std::function<bool()>& attempt, const os::Deadline& deadline,
                             const std::function<void()>& check);

    // From here on nothing is put, by anybody; what is there can still be got. Wakes all who wait.
    void shutdown() noexcept;
    [[nodiscard]] bool is_shut_down() const noexcept;

    // Takes no part any more until the next call, so that nobody waits for this handle. Does
    // nothing while the handle has a message that is being written or read. The destructor does so
    // too.
    void leave() noexcept;

    [[nodiscard]] int fd() const noexcept;

  protected:
    explicit Segment(std::unique_ptr<SegmentState> state) noexcept;
    Segment(Segment&&) noexcept;
    ~Segment();

    std::unique_ptr<SegmentState> state_;
};

struct SegmentInfo {
    std::string name;
    std::string kind;            // "ByteRing" or "MpmcQueue"
    std::uint64_t capacity = 0;  // as the kind means it
    bool in_use = false;         // by a process that lives
};

// The caller's structures that have a name, and those of them that can be removed because nobody
// has them.
[[nodiscard]] std::vector<SegmentInfo> segments();
std::vector<std::string> remove_stale();
// False when there is none of that name.
bool unlink(const std::string& name);

}  // namespace dwcp::lockfree::shared
