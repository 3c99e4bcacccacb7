// Files that live in memory and that processes share: with a name below /dev/shm, or without one.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace dwcp::os {

// An open file, closed by the destructor. Every open one holds a lock (flock(2)) that the kernel
// gives back when its process dies, however that happens: so files that nobody uses can be told.
class SharedFile {
  public:
    // Without a name: passed on by its descriptor. The memory is taken at once, so that a machine
    // that is full says so here: std::system_error with ENOSPC.
    static SharedFile anonymous(std::size_t size);
    // With a name, a file with that name below /dev/shm and mode 0600. `fill` writes what others
    // must find, before they can find the file. std::system_error with EEXIST when the name is
    // taken.
    static SharedFile create(const std::string& name, std::size_t size,
                             const std::function<void(int fd)>& fill);
    // std::system_error with ENOENT when there is none.
    static SharedFile open(const std::string& name);
    // Opens what the descriptor has open once more.
    static SharedFile duplicate(int fd);

    SharedFile(SharedFile&& other) noexcept;
    SharedFile& operator=(SharedFile&&) = delete;
    ~SharedFile();

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] std::size_t size() const;

  private:
    explicit SharedFile(int fd) noexcept : fd_(fd) {}
    int fd_;
};

// Removes the name; false when it is not there any more. Those who have the file open keep it.
bool remove_shared_file(const std::string& name);

// Removes the name unless somebody has the file open; false then.
bool remove_unused_shared_file(const std::string& name);

// Names of the caller's own files that begin with `prefix`.
[[nodiscard]] std::vector<std::string> shared_file_names(const std::string& prefix);

// A part of a shared file, from `offset` on, which is a multiple of the page.
class SharedMapping {
  public:
    SharedMapping(int fd, std::size_t size, std::size_t offset = 0);
    SharedMapping(const SharedMapping&) = delete;
    SharedMapping& operator=(const SharedMapping&) = delete;
    ~SharedMapping();
    [[nodiscard]] void* data() const noexcept { return data_; }

  private:
    void* data_;
    std::size_t size_;
};

}  // namespace dwcp::os
