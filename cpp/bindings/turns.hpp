// Threads that share an object take turns, call by call.
#pragma once

#include <cstddef>
#include <mutex>

#include "buffer.hpp"

namespace dwcp::bindings {

// The lock of one object. Long work is done without the GIL, and so is waiting: whoever holds the
// lock may need the GIL to give it back. No Python code may run under the lock.
class Turns {
  public:
    // Runs `work` on `size` bytes when it is this thread's turn.
    template <typename Work>
    auto take(std::size_t size, Work&& work) {
        if (size < kReleaseBytesMin) {
            const std::unique_lock lock(mutex_, std::try_to_lock);
            if (lock.owns_lock()) return work();
        }
        const nb::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        return work();
    }

  private:
    std::mutex mutex_;
};

}  // namespace dwcp::bindings
