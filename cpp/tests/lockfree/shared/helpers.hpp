// What the tests of the structures in shared memory have in common.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "dwcp/lockfree/shared/segment.hpp"

namespace dwcp::lockfree::shared::test {

inline std::string unique_name(const std::string& what) {
    return "test." + std::to_string(getpid()) + "." + what;
}

inline std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

template <typename Structure>
bool try_get(Structure& structure, std::string& message) {
    std::optional<typename Structure::Reading> reading = structure.try_read();
    if (!reading) return false;
    message.assign(reinterpret_cast<const char*>(reading->data().data()), reading->data().size());
    reading->consume();
    return true;
}

template <typename Structure>
Outcome get(Structure& structure, std::string& message,
            std::optional<std::chrono::milliseconds> limit) {
    os::Deadline deadline;
    if (limit) deadline = std::chrono::steady_clock::now() + *limit;
    return structure.wait_for_message([&] { return try_get(structure, message); }, deadline, [] {});
}
template <typename Structure>
Outcome put(Structure& structure, const std::string& message,
            std::optional<std::chrono::milliseconds> limit = std::nullopt) {
    os::Deadline deadline;
    if (limit) deadline = std::chrono::steady_clock::now() + *limit;
    return structure.wait_for_room([&] { return structure.try_put(bytes_of(message)); }, deadline,
                                   [] {});
}

// A child process that ends with the test.
class Child {
  public:
    explicit Child(const std::function<void()>& work) : pid_(fork()) {
        if (pid_ != 0) return;
        work();
        _exit(0);
    }
    ~Child() {
        if (pid_ > 0) kill_and_wait();
    }
    void signal(int number) const { ::kill(pid_, number); }
    int wait() {
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = 0;
        return status;
    }
    void kill_and_wait() {
        signal(SIGKILL);
        wait();
    }

  private:
    pid_t pid_;
};

}  // namespace dwcp::lockfree::shared::test
