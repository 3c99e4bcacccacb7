#include "os/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <system_error>

#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

TEST_CASE("a file is read where it was asked for, up to its end") {
    const int fd = memfd_create("test", 0);
    REQUIRE(fd >= 0);
    const auto data = random_bytes(10'000, 1);
    REQUIRE(pwrite(fd, data.data(), data.size(), 0) == 10'000);
    std::vector<std::uint8_t> out(4000);
    CHECK(os::read_at(fd, as_writable(out), 3000) == 4000);
    CHECK(std::equal(out.begin(), out.end(), data.begin() + 3000));
    CHECK(os::read_at(fd, as_writable(out), 9000) == 1000);
    CHECK(os::read_at(fd, as_writable(out), 20'000) == 0);
    CHECK(os::file_stamp(fd).length == 10'000);
    close(fd);
}

TEST_CASE("failures keep errno") {
    try {
        std::vector<std::uint8_t> out(10);
        os::read_at(-1, as_writable(out), 5);
        FAIL("no error");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == EBADF);
        CHECK(std::string(error.what()).find("at byte 5") != std::string::npos);
    }
}

TEST_CASE("pages are zero at first and move") {
    os::Pages pages(5000);
    for (const std::byte byte : pages.bytes()) REQUIRE(byte == std::byte{0});
    pages.bytes()[4999] = std::byte{1};
    const os::Pages moved = std::move(pages);
    CHECK(moved.bytes().size() == 5000);
    CHECK(moved.bytes()[4999] == std::byte{1});
    CHECK(os::Pages(0).bytes().empty());
}

TEST_CASE("once a stamp is past, every write changes it") {
    const int fd = memfd_create("test", 0);
    REQUIRE(fd >= 0);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(pwrite(fd, "a", 1, 0) == 1);
        const os::FileStamp before = os::file_stamp(fd);
        os::wait_until_past(before);
        REQUIRE(pwrite(fd, "b", 1, 0) == 1);
        CHECK(os::file_stamp(fd) != before);
    }
    os::FileStamp future = os::file_stamp(fd);
    future.modified_ns += std::int64_t{3600} * 1'000'000'000;
    os::wait_until_past(future);
    close(fd);
}
