#include "dwcp/os/shared_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace dwcp::os {

namespace {

const std::string kFolder = "/dev/shm/";

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

int checked(int result, const std::string& what) {
    if (result < 0) fail(what);
    return result;
}

// What the kernel says that programs can take, in bytes.
std::size_t available_bytes() {
    std::ifstream file("/proc/meminfo");
    std::string name;
    std::size_t kibibytes = 0;
    std::string rest;
    while (file >> name >> kibibytes && std::getline(file, rest)) {
        if (name == "MemAvailable:") return kibibytes * 1024;
    }
    return static_cast<std::size_t>(-1);
}

void take(int fd, std::size_t size) {
    // A memory file has no bound of its own: the kernel would go on until it has to kill somebody.
    const int error =
        size > available_bytes() ? ENOSPC : posix_fallocate(fd, 0, static_cast<off_t>(size));
    if (error != 0) {
        throw std::system_error(error, std::generic_category(),
                                "taking " + std::to_string(size) +
                                    " bytes of shared memory: enlarge /dev/shm or ask for less");
    }
}

void lock_shared(int fd) {
    while (flock(fd, LOCK_SH) != 0) {
        if (errno != EINTR) fail("flock of shared memory");
    }
}

// A name that nobody else uses, for a file that is not finished.
std::string unfinished_name() {
    static std::atomic<unsigned> number{0};
    return kFolder + ".dwcp-unfinished." + std::to_string(getpid()) + "." +
           std::to_string(number.fetch_add(1));
}

std::optional<SharedFile> open_if_there(const std::string& name) {
    try {
        return SharedFile::open(name);
    } catch (const std::system_error&) {
        return std::nullopt;
    }
}

}  // namespace

SharedFile SharedFile::anonymous(std::size_t size) {
    SharedFile file(checked(memfd_create("dwcp", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
    take(file.fd_, size);
    // Nobody can take the memory away under those who have it mapped.
    checked(fcntl(file.fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), "sealing");
    return file;
}

SharedFile SharedFile::create(const std::string& name, std::size_t size,
                              const std::function<void(int fd)>& fill) {
    const std::string unfinished = unfinished_name();
    unlink(unfinished.c_str());  // of a dead process that had the same number
    SharedFile file(checked(
        ::open(unfinished.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600),
        "creating " + unfinished));
    struct Unlink {
        const std::string& path;
        ~Unlink() { unlink(path.c_str()); }
    } const remove{unfinished};
    take(file.fd_, size);
    lock_shared(file.fd_);
    fill(file.fd_);
    // Not rename(2): that would put it in place of one that is there.
    const std::string path = kFolder + name;
    checked(link(unfinished.c_str(), path.c_str()), "creating " + path);
    return file;
}

SharedFile SharedFile::open(const std::string& name) {
    const std::string path = kFolder + name;
    SharedFile file(
        checked(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW), "opening " + path));
    lock_shared(file.fd_);
    struct stat status{};
    checked(fstat(file.fd_, &status), "fstat of shared memory");
    if (status.st_nlink == 0) {  // removed between the two
        errno = ENOENT;
        fail("opening " + path);
    }
    return file;
}

SharedFile SharedFile::duplicate(int fd) {
    return SharedFile(checked(fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicating a descriptor"));
}

SharedFile::SharedFile(SharedFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

SharedFile::~SharedFile() {
    if (fd_ >= 0) close(fd_);
}

std::size_t SharedFile::size() const {
    struct stat status{};
    checked(fstat(fd_, &status), "fstat of shared memory");
    return static_cast<std::size_t>(status.st_size);
}

bool remove_shared_file(const std::string& name) {
    const std::string path = kFolder + name;
    if (unlink(path.c_str()) == 0) return true;
    if (errno == ENOENT) return false;
    fail("removing " + path);
}

bool remove_unused_shared_file(const std::string& name) {
    const std::string path = kFolder + name;
    const std::optional<SharedFile> file = open_if_there(name);
    if (!file || flock(file->fd(), LOCK_EX | LOCK_NB) != 0) return false;
    // With the lock held, the name must still be that of this file.
    struct stat opened{};
    struct stat named{};
    if (fstat(file->fd(), &opened) != 0 || lstat(path.c_str(), &named) != 0 ||
        opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) {
        return false;
    }
    return unlink(path.c_str()) == 0;
}

std::vector<std::string> shared_file_names(const std::string& prefix) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(kFolder.c_str()), closedir);
    if (!folder) fail("reading " + kFolder);
    std::vector<std::string> names;
    while (const dirent* const entry = readdir(folder.get())) {
        const std::string name = entry->d_name;
        struct stat status{};
        if (name.starts_with(prefix) && lstat((kFolder + name).c_str(), &status) == 0 &&
            S_ISREG(status.st_mode) && status.st_uid == geteuid()) {
            names.push_back(name);
        }
    }
    return names;
}

SharedMapping::SharedMapping(int fd, std::size_t size, std::size_t offset)
    : data_(
          mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset))),
      size_(size) {
    if (data_ == MAP_FAILED) fail("mmap of shared memory");
}

SharedMapping::~SharedMapping() {
    munmap(data_, size_);
}

}  // namespace dwcp::os
