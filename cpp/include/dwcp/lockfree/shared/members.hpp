// Who takes part in a shared structure, and who of them is still alive. All of it lies in memory
// that other processes write to, and that one of them may leave in any state by dying.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "dwcp/lockfree/atomics.hpp"
#include "dwcp/lockfree/waiting.hpp"
#include "dwcp/os/futex.hpp"
#include "dwcp/os/process.hpp"

namespace dwcp::lockfree::shared {

enum Role : std::uint32_t { kUnknown = 0, kProducer = 1, kConsumer = 2 };

using Event = BasicEventCount<SystemWaiting, os::Scope::kShared>;

// Told of the place of a dead member, for what it left behind.
using Recover = std::function<void(std::size_t place)>;

// What a lock must know of processes: a template parameter beside the atomics, for the model
// checker.
struct SystemProcesses {
    struct Spinner : lockfree::Spinner {
        // Longer than most owners have a lock.
        Spinner() noexcept : lockfree::Spinner(std::chrono::microseconds(5)) {}
    };
    static os::ProcessIdentity self() noexcept { return os::this_process(); }
    static bool is_alive(os::ProcessIdentity process) noexcept { return os::is_alive(process); }
    // At most once a millisecond since `looked`, in ns of the steady clock: it takes longer than
    // most owners have a lock.
    static bool is_time_to_look(std::atomic<std::int64_t>& looked) noexcept;
};

// A lock that names its owner, so that the one after a dead owner can take it over.
template <typename Atomics = StdAtomics, typename Processes = SystemProcesses>
class BasicLock {
    template <typename U>
    using Atomic = typename Atomics::template atomic<U>;

  public:
    // Spins for a moment. False when another thread or process has it, which lives, or was alive
    // when this handle `looked` last, less than a millisecond before.
    [[nodiscard]] bool try_take(std::atomic<std::int64_t>& looked) noexcept {
        os::ProcessIdentity owner = 0;
        return take_from(owner) || try_hard(looked);
    }
    // Whether somebody failed to take it meanwhile, and must be told. Ends with a fence of seq_cst
    // order.
    [[nodiscard]] bool release() noexcept {
        owner_.store(0, std::memory_order_release);  // pairs with try_take()
        Atomics::fence(std::memory_order_seq_cst);   // pairs with try_hard()
        if (wanted_.load(std::memory_order_relaxed) == 0) return false;
        wanted_.store(0, std::memory_order_relaxed);
        // Or who comes now could have its wish taken back unseen, and sleep.
        Atomics::fence(std::memory_order_seq_cst);
        return true;
    }
    [[nodiscard]] bool is_taken() const noexcept {
        return owner_.load(std::memory_order_relaxed) != 0;
    }
    // Whether the calling process has it: not the child of a fork that was made meanwhile.
    [[nodiscard]] bool is_own() const noexcept {
        return owner_.load(std::memory_order_relaxed) == Processes::self();
    }

  private:
    // Writes to `owner` who has it instead.
    bool take_from(os::ProcessIdentity& owner) noexcept {
        return owner_.compare_exchange_strong(owner, Processes::self(), std::memory_order_acquire,
                                              std::memory_order_relaxed);
    }
    bool try_hard(std::atomic<std::int64_t>& looked) noexcept {
        os::ProcessIdentity owner = 0;
        typename Processes::Spinner spinner;
        do {
            owner = 0;
            if (take_from(owner)) return true;
        } while (spinner.spin());
        // What a dead one had begun was not made known, so that nothing has to be put right.
        if (Processes::is_time_to_look(looked) && !Processes::is_alive(owner) && take_from(owner)) {
            return true;
        }
        // Either the owner sees this, or it is seen here that it is through.
        wanted_.store(1, std::memory_order_relaxed);
        Atomics::fence(std::memory_order_seq_cst);  // pairs with release()
        owner = 0;
        return take_from(owner);
    }

    Atomic<os::ProcessIdentity> owner_{0};
    Atomic<std::uint32_t> wanted_{0};
};
using Lock = BasicLock<>;

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
