// A tracker together with the buffers that it tracks.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "dwcp/delta/dirty_tracker.hpp"
#include "dwcp/error.hpp"
#include "state.hpp"

namespace dwcp::bindings {

// Serialises the calls of several threads; the lock is taken without the GIL.
class LockedTracker {
  public:
    // Raises as State does.
    LockedTracker(nb::handle state, const std::optional<std::vector<std::uint64_t>>& offsets,
                  bool exclusive);

    // Calls use(delta::DirtyTracker&) without the GIL. Raises Closed after close().
    template <typename Use>
    auto locked(Use&& use) {
        nb::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        if (!tracker_) throw Closed("the tracker was closed");
        return use(*tracker_);
    }
    // Lifts the write protection and releases the buffers.
    void close();

  private:
    std::mutex mutex_;
    std::optional<State> state_;
    std::optional<delta::DirtyTracker> tracker_;
};

}  // namespace dwcp::bindings
