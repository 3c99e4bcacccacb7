// What a ring consists of: the header that all processes see, and what a handle knows.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "dwcp/lockfree/shared/byte_ring.hpp"
#include "dwcp/lockfree/shared/members.hpp"
#include "dwcp/os/mirrored_memory.hpp"
#include "dwcp/os/shared_file.hpp"

namespace dwcp::lockfree::shared {

inline constexpr std::uint64_t kMagic = 0x676e'6972'7063'7764;  // "dwcpring"
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 8;  // of a message: its length

// One side of a ring: how far it is, and who may move it on.
struct alignas(kSeparationBytes) RingSide {
    std::atomic<std::uint64_t> position;  // bytes
    std::atomic<std::uint64_t> messages;
    Lock lock;
    Event waiting;  // those of this side, for the other one to move on or for the lock
};

struct RingHeader {
    // Written once, before others can find the file.
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t header_bytes;  // of this structure, rounded up to pages
    std::uint64_t data_bytes;    // a power of two, behind the header
    std::uint64_t capacity;
    std::uint64_t limit;  // that the bytes in use never exceed
    std::uint64_t pid_namespace;
    // Changes.
    std::atomic<std::uint32_t> shut_down;
    alignas(kSeparationBytes) Members members;
    RingSide producers;
    RingSide consumers;
};
static_assert(std::is_standard_layout_v<RingHeader>);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

inline std::uint64_t padded(std::uint64_t size) noexcept {
    return (size + 7) & ~std::uint64_t{7};
}

struct RingState {
    os::SharedFile file;
    os::SharedMapping mapping;
    RingHeader& header;
    // Copies, because others could change them.
    const std::uint64_t capacity;
    const std::uint64_t limit;
    os::MirroredMemory data;
    // Of this handle.
    std::atomic<std::size_t> member{Members::kMax};
    std::atomic<std::uint32_t> roles{0};
    std::atomic<std::int64_t> looked{0};  // see Lock
    std::atomic<std::uint32_t> producers_lost_seen{0};
    std::atomic<std::uint32_t> consumers_lost_seen{0};
    // How far the other side is at least; each belongs to whoever has the lock of the side.
    std::uint64_t consumed_seen = 0;
    std::uint64_t produced_seen = 0;

    RingState(os::SharedFile opened, std::size_t header_bytes);
    RingState(const RingState&) = delete;
    RingState& operator=(const RingState&) = delete;
    ~RingState();

    void join(Role role);
    void leave() noexcept;
    // Bytes in use as the other side's position says. Throws CorruptRing when that cannot be.
    std::uint64_t used(std::uint64_t produced, std::uint64_t consumed) const;
    std::byte* at(std::uint64_t position) const noexcept {
        return data.at(position & (data.size() - 1));
    }
    // Whether the other side was alive and is no more. Each death is told once.
    bool is_lost(Role other) noexcept;
};

// Throws CorruptRing unless the file is a ring; returns the bytes of its header.
std::size_t check_header(const os::SharedFile& file);

std::uint64_t pid_namespace();

}  // namespace dwcp::lockfree::shared
