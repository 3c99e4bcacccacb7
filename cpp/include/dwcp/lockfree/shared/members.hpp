// Who takes part in a shared structure, and who of them is still alive. All of it lies in memory
// that other processes write to, and that one of them may leave in any state by dying.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

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

    // After what was changed.
    void notify() noexcept {
        std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with prepare()
        notify_ordered();
    }
    // The same behind a fence of that order.
    void notify_ordered() noexcept {
        if (sleepers.load(std::memory_order_relaxed) == 0) return;
        epoch.fetch_add(1, std::memory_order_release);
        os::futex_wake(epoch, 0x7fff'ffff, os::Scope::kShared);
    }
    [[nodiscard]] std::uint32_t prepare() noexcept {
        sleepers.fetch_add(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with notify()
        return epoch.load(std::memory_order_acquire);
    }
    void cancel() noexcept { sleepers.fetch_sub(1, std::memory_order_relaxed); }
};

// Told of the place of a dead member, for what it left behind.
using Recover = std::function<void(std::size_t place)>;

// A lock that names its owner, so that the one after a dead owner can take it over.
class Lock {
  public:
    // Spins for a moment. False when another thread or process has it, which lives, or was alive
    // less than a millisecond before: `looked` is when this handle looked last, in ns of the steady
    // clock.
    [[nodiscard]] bool try_take(std::atomic<std::int64_t>& looked) noexcept {
        os::ProcessIdentity owner = 0;
        return owner_.compare_exchange_strong(owner, os::this_process(), std::memory_order_acquire,
                                              std::memory_order_relaxed) ||
               try_hard(looked);
    }
    // Whether somebody failed to take it meanwhile, and must be told. Ends with a fence of seq_cst
    // order.
    [[nodiscard]] bool release() noexcept {
        owner_.store(0, std::memory_order_release);           // pairs with try_take()
        std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with try_hard()
        if (wanted_.load(std::memory_order_relaxed) == 0) return false;
        wanted_.store(0, std::memory_order_relaxed);
        return true;
    }
    [[nodiscard]] bool is_taken() const noexcept {
        return owner_.load(std::memory_order_relaxed) != 0;
    }
    // Whether the calling process has it: not the child of a fork that was made meanwhile.
    [[nodiscard]] bool is_own() const noexcept {
        return owner_.load(std::memory_order_relaxed) == os::this_process();
    }

  private:
    [[nodiscard]] bool try_hard(std::atomic<std::int64_t>& looked) noexcept;

    std::atomic<os::ProcessIdentity> owner_;
    std::atomic<std::uint32_t> wanted_;
};

// A table of the handles that processes have. A dead one's place becomes free once it was said to
// Recover; whoever does that may die over it, too.
class Members {
  public:
    static constexpr std::size_t kMax = 64;

    // A place for the calling process; kMax when all are taken by living ones.
    [[nodiscard]] std::size_t enter(const Recover& recover) noexcept;
    void leave(std::size_t place) noexcept;
    void add_role(std::size_t place, Role role) noexcept;

    // Whether anybody but `self` who lives has that role, or none yet. Makes the places of the dead
    // free and counts them.
    [[nodiscard]] bool any_alive(std::size_t self, Role role, const Recover& recover) noexcept;
    // Whether anybody lives. Changes nothing.
    [[nodiscard]] bool any_alive() const noexcept;
    // How many died who had that role, or none yet.
    [[nodiscard]] std::uint32_t lost(Role role) const noexcept;

    // Whether the place is still that of the calling process: not after a fork.
    [[nodiscard]] bool is_own(std::size_t place) const noexcept {
        return place < kMax &&
               members_[place].process.load(std::memory_order_relaxed) == os::this_process();
    }

  private:
    struct Member {
        std::atomic<os::ProcessIdentity> process;
        std::atomic<std::uint32_t> roles;
    };

    void bury(std::size_t place, os::ProcessIdentity dead, const Recover& recover) noexcept;

    std::array<Member, kMax> members_;
    std::atomic<std::uint32_t> producers_lost_;
    std::atomic<std::uint32_t> consumers_lost_;
};

}  // namespace dwcp::lockfree::shared
