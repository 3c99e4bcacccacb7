// What a structure in shared memory consists of: the header that all processes see, and what a
// handle knows.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "dwcp/lockfree/shared/members.hpp"
#include "dwcp/lockfree/shared/segment.hpp"
#include "dwcp/os/shared_file.hpp"

namespace dwcp::lockfree::shared {

inline constexpr std::uint64_t kMagic = 0x6572'6873'7063'7764;  // "dwcpshre"
inline constexpr std::uint32_t kVersion = 2;

enum Kind : std::uint32_t { kByteRing = 1, kMpmcQueue = 2 };

struct SegmentHeader {
    // Written once, before others can find the file.
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t kind;
    std::uint64_t header_bytes;  // of this structure and what follows it, in whole pages
    std::uint64_t data_bytes;    // behind the header
    std::uint64_t capacity;      // of a ring: bytes of the longest message; of a queue: messages
    std::uint64_t slot_bytes;    // of a queue: of the longest message
    std::uint64_t pid_namespace;
    // Changes.
    std::atomic<std::uint32_t> shut_down;
    alignas(kSeparationBytes) Members members;
    // Apart from what each call changes: whoever changes something reads them, and nearly never
    // does anybody write them.
    alignas(kSeparationBytes) Event producers_waiting;  // for room, or for others to be through
    Event consumers_waiting;
};
static_assert(std::is_standard_layout_v<SegmentHeader>);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

struct SegmentState {
    os::SharedFile file;
    os::SharedMapping mapping;  // of the header
    SegmentHeader& header;
    // Of this handle.
    std::atomic<std::size_t> member{Members::kMax};
    std::atomic<std::uint32_t> roles{0};
    // What it knows of those of a side.
    struct Other {
        std::atomic<std::int64_t> looked{0};  // for the dead, last; in ns of the steady clock
        std::atomic<std::uint32_t> lost_seen{0};
        std::atomic<bool> brief{true};  // the last sleep until they did something
    };
    Other producers;
    Other consumers;

    SegmentState(os::SharedFile opened, std::size_t header_bytes);
    SegmentState(const SegmentState&) = delete;
    SegmentState& operator=(const SegmentState&) = delete;
    virtual ~SegmentState();

    // Puts right what the dead member `place` left behind. May be called again, also by another
    // process, when whoever does it dies.
    virtual void recover([[maybe_unused]] std::size_t place) noexcept {}
    // Whether something in the memory names the member, so that it must not leave now.
    virtual bool is_named([[maybe_unused]] std::size_t place) const noexcept { return false; }

    void join(Role role);
    void leave() noexcept;
    Other& side_of(Role role) noexcept { return role == kProducer ? producers : consumers; }
    const Other& side_of(Role role) const noexcept {
        return role == kProducer ? producers : consumers;
    }
    // When it was looked last; and how many deaths were told.
    [[nodiscard]] std::chrono::steady_clock::time_point looked(Role other) const noexcept;
    [[nodiscard]] std::uint32_t lost_seen(Role other) const noexcept;
    // Recovers what the dead of both sides held. How many of the other side have died, when nobody
    // of it is left and those are more than `lost_before`.
    std::optional<std::uint32_t> look_for_loss(Role other, std::uint32_t lost_before) noexcept;
    void tell(Role other, std::uint32_t lost) noexcept;
    // Recovers that too, unless somebody looked in the last tenth of a second.
    void look_for_dead(Role other) noexcept;
    // All who wait look again.
    void notify_all() noexcept {
        header.producers_waiting.notify(Event::kAll);
        header.consumers_waiting.notify_ordered(Event::kAll);
    }
};

// A new file with a header, for which `fill` may write what follows it.
struct NewSegment {
    Kind kind;
    std::size_t header_bytes;  // of the header and what follows it; rounded up to pages here
    std::size_t data_bytes;
    std::uint64_t capacity;
    std::uint64_t slot_bytes;
};
os::SharedFile create_segment(const std::optional<std::string>& name, const NewSegment& segment,
                              const std::function<void(void* header)>& construct);
os::SharedFile open_segment(const std::string& name);

// Throws CorruptSegment unless the file is a structure whose sizes are possible, of the kind that
// is wanted when one is; returns a copy of what does not change.
struct SegmentSizes {
    Kind kind;
    std::size_t header_bytes;
    std::size_t data_bytes;
    std::uint64_t capacity;
    std::uint64_t slot_bytes;
};
SegmentSizes check_segment(const os::SharedFile& file, std::optional<Kind> wanted);

// Throws std::invalid_argument for a commit of more than what was reserved.
void check_commit(std::size_t size, std::size_t reserved);
// What was begun before a fork is not the child's to end.
[[noreturn]] void throw_not_own();
[[noreturn]] void throw_impossible_length();

// Copies a message into `structure` if there is room.
template <typename Structure>
bool put_copy(Structure& structure, std::span<const std::byte> message) {
    auto writing = structure.try_reserve(message.size());
    if (!writing) return false;
    if (!message.empty()) std::memcpy(writing->room().data(), message.data(), message.size());
    writing->commit(message.size());
    return true;
}

[[noreturn]] void throw_corrupt(const std::string& what);

std::uint64_t pid_namespace();

}  // namespace dwcp::lockfree::shared
