// The structures in shared memory as adapters of a channel.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <optional>
#include <utility>

#include "dwcp/lockfree/shared/byte_ring.hpp"
#include "dwcp/lockfree/shared/mpmc_queue.hpp"
#include "dwcp/lockfree/waiting.hpp"
#include "errors.hpp"
#include "lockfree/messages/channel.hpp"

namespace dwcp::bindings::lockfree::messages {

namespace nb = nanobind;

template <typename Structure>
class Shared {
  public:
    using Writing = typename Structure::Writing;
    using Reading = typename Structure::Reading;

    explicit Shared(Structure&& structure) : structure_(std::move(structure)) {}

    std::optional<Writing> try_reserve(std::size_t size) { return structure_.try_reserve(size); }
    std::optional<Reading> try_read() { return structure_.try_read(); }

    // With the GIL, after an attempt that failed; further ones and the waiting do without.
    template <typename Attempt>
    bool wait_until(bool putting, const Patience& patience, Attempt&& attempt) {
        using dwcp::lockfree::shared::Outcome;
        Outcome outcome = structure_.is_shut_down() ? Outcome::kShutDown : Outcome::kTimedOut;
        if (outcome == Outcome::kShutDown && !putting && attempt()) return true;
        if (outcome != Outcome::kShutDown && patience.block) {
            // About as long as it takes to let go of the GIL and to get it back.
            dwcp::lockfree::Spinner spinner(std::chrono::nanoseconds(300));
            while (spinner.spin()) {
                if (attempt()) return true;
            }
            const auto check = [] {
                const nb::gil_scoped_acquire acquire;
                if (PyErr_CheckSignals() != 0) throw nb::python_error();
            };
            const nb::gil_scoped_release release;
            outcome = putting ? structure_.wait_for_room(attempt, patience.deadline, check)
                              : structure_.wait_for_message(attempt, patience.deadline, check);
        }
        if (outcome == Outcome::kDone) return true;
        if (outcome == Outcome::kPeerLost) {
            set_dwcp_error("PeerLost", putting
                                           ? "the last consumer has died and there is no room"
                                           : "the last producer has died and there is no message");
        } else {
            set_refusal(putting, outcome == Outcome::kShutDown);
        }
        return false;
    }

    void shutdown() noexcept { structure_.shutdown(); }
    [[nodiscard]] bool is_shut_down() const noexcept { return structure_.is_shut_down(); }
    void leave() noexcept { structure_.leave(); }
    [[nodiscard]] bool empty() const noexcept { return structure_.empty(); }
    [[nodiscard]] std::uint64_t messages() const noexcept { return structure_.messages(); }
    [[nodiscard]] bool has_room(std::size_t size) const noexcept {
        return structure_.has_room(size);
    }
    [[nodiscard]] bool has_message() const noexcept { return structure_.has_message(); }

    Structure* operator->() noexcept { return &structure_; }

  private:
    Structure structure_;
};

}  // namespace dwcp::bindings::lockfree::messages
