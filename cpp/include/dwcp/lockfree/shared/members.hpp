// Who takes part in a shared structure, and who of them is still alive. All of it lies in memory
// that other processes write to, and that one of them may leave in any state by dying.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/os/futex.hpp"
#include "dwcp/os/process.hpp"

namespace dwcp::lockfree::shared {

enum Role : std::uint32_t { kUnknown = 0, kProducer = 1, kConsumer = 2 };

// Those who sleep until something changes. Who is killed in its sleep stays counted: that costs the
// others a system call for each change, and nothing else.
struct Event {
    std::atomic<std::uint32_t> epoch;
    std::atomic<std::uint32_t> sleepers;

    // After a fence of seq_cst order behind what was changed, which pairs with that in prepare().
    void notify_ordered() noexcept {
        if (sleepers.load(std::memory_order_relaxed) == 0) return;
        epoch.fetch_add(1, std::memory_order_release);
        os::futex_wake(epoch, 0x7fff'ffff, os::Scope::kShared);
    }
    [[nodiscard]] std::uint32_t prepare() noexcept {
        sleepers.fetch_add(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with notify_ordered()
        return epoch.load(std::memory_order_acquire);
    }
    void cancel() noexcept { sleepers.fetch_sub(1, std::memory_order_relaxed); }
};

// A lock that names its owner, so that the one after a dead owner can take it over.
class Lock {
  public:
    // Spins for a moment. False when another thread or process has it, which lives, or was alive
    // less than a millisecond before: `looked` is when this handle looked last, in ns of the steady
    // clock.
    [[nodiscard]] bool try_take(std::atomic<std::int64_t>& looked) noexcept;
    void release() noexcept;
    // Whether the calling process has it: not the child of a fork that was made meanwhile.
    [[nodiscard]] bool is_own() const noexcept;

  private:
    std::atomic<os::ProcessIdentity> owner_;
};

// A table of the handles that processes have.
class Members {
  public:
    static constexpr std::size_t kMax = 64;

    // A place for the calling process; kMax when all are taken by living ones.
    [[nodiscard]] std::size_t enter() noexcept;
    void leave(std::size_t place) noexcept;
    void add_role(std::size_t place, Role role) noexcept;

    // Whether anybody but `self` who lives has that role, or none yet. Makes the places of the dead
    // free and counts them.
    [[nodiscard]] bool any_alive(std::size_t self, Role role) noexcept;
    [[nodiscard]] bool any_alive() noexcept;
    // How many died who had that role, or none yet.
    [[nodiscard]] std::uint32_t lost(Role role) const noexcept;

    // Whether the place is still that of the calling process: not after a fork.
    [[nodiscard]] bool is_own(std::size_t place) const noexcept;

  private:
    struct Member {
        std::atomic<os::ProcessIdentity> process;
        std::atomic<std::uint32_t> roles;
    };

    void bury(Member& member, os::ProcessIdentity dead) noexcept;

    std::array<Member, kMax> members_;
    std::atomic<std::uint32_t> producers_lost_;
    std::atomic<std::uint32_t> consumers_lost_;
};

}  // namespace dwcp::lockfree::shared
