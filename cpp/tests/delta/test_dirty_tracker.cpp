#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "dwcp/delta/dirty_tracker.hpp"
#include "dwcp/delta/encoder.hpp"
#include "dwcp/os/placed_memory.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;
using delta::DirtyTracker;
using delta::Part;
using delta::Region;

namespace {

constexpr std::size_t kPage = 4096;

// Zeroed memory of its own, from the kernel.
os::PlacedMemory pages(std::size_t count, bool huge = false) {
    os::PlacedMemoryOptions options;
    options.huge = huge;
    return {count * kPage, options};
}
std::span<std::byte> bytes_of(const os::PlacedMemory& memory) {
    return {memory.data(), memory.size()};
}
bool tracks(const DirtyTracker& tracker) {
    return tracker.method() == DirtyTracker::Method::kWriteProtect;
}
bool covers(const std::vector<Region>& outer, const std::vector<Region>& inner) {
    return std::all_of(inner.begin(), inner.end(), [&](const Region& in) {
        return std::any_of(outer.begin(), outer.end(), [&](const Region& out) {
            return out.offset <= in.offset && in.offset + in.length <= out.offset + out.length;
        });
    });
}

}  // namespace

TEST_CASE("the pages that were written are told once") {
    const os::PlacedMemory memory = pages(100);
    const Part part{0, bytes_of(memory)};
    DirtyTracker tracker({&part, 1});
    if (!tracks(tracker)) {
        MESSAGE("not tracked: " << tracker.reason());
        CHECK(!tracker.reason().empty());
        CHECK(tracker.collect() == std::vector<Region>{{0, memory.size()}});
        CHECK(tracker.collect() == std::vector<Region>{{0, memory.size()}});
        return;
    }
    CHECK(tracker.reason().empty());
    CHECK(tracker.tracked_bytes() == memory.size());
    CHECK(tracker.collect().empty());
    memory.data()[0] = std::byte{1};
    memory.data()[3 * kPage - 1] = std::byte{1};
    memory.data()[3 * kPage] = std::byte{1};
    memory.data()[99 * kPage + 7] = std::byte{1};
    CHECK(tracker.collect() ==
          std::vector<Region>{{0, kPage}, {2 * kPage, 2 * kPage}, {99 * kPage, kPage}});
    CHECK(tracker.collect().empty());
}

TEST_CASE("edges that share a page with other data, and what was marked, count as written") {
    const os::PlacedMemory memory = pages(4);
    const auto inner = bytes_of(memory).subspan(100, 3 * kPage);
    const Part part{1000, inner};
    DirtyTracker tracker({&part, 1});
    if (!tracks(tracker)) return;
    CHECK(tracker.tracked_bytes() == 2 * kPage);
    const std::vector<Region> edges{{1000, kPage - 100}, {1000 + 3 * kPage - 100, 100}};
    CHECK(tracker.collect() == edges);
    tracker.mark(1000 + kPage, 5);
    CHECK(tracker.collect() ==
          std::vector<Region>{edges[0], {1000 + kPage, 5}, {1000 + 3 * kPage - 100, 100}});
    CHECK(tracker.collect() == edges);
    CHECK_THROWS_AS(tracker.mark(1000 + 3 * kPage, 1), std::invalid_argument);
    CHECK_THROWS_AS(tracker.mark(1, ~std::uint64_t{0}), std::invalid_argument);
}

TEST_CASE("memory that another tracker has is scanned in full, with the reason") {
    const os::PlacedMemory memory = pages(4);
    const Part part{0, bytes_of(memory)};
    std::vector<Region> all{{0, memory.size()}};
    {
        const DirtyTracker first({&part, 1});
        DirtyTracker second({&part, 1});
        CHECK(!tracks(second));
        CHECK(!second.reason().empty());
        CHECK(second.collect() == all);
    }
    // Gone with the tracker.
    DirtyTracker third({&part, 1});
    if (tracks(third)) CHECK(third.collect().empty());
}

TEST_CASE("shared memory is tracked only where the caller knows that nobody else writes to it") {
    void* const shared =
        mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    const Part part{0, {static_cast<std::byte*>(shared), 4 * kPage}};
    {
        DirtyTracker tracker({&part, 1});
        CHECK(!tracks(tracker));
        CHECK(!tracker.reason().empty());
        CHECK(tracker.collect() == std::vector<Region>{{0, 4 * kPage}});
    }
    delta::TrackerOptions options;
    options.exclusive = true;
    DirtyTracker tracker({&part, 1}, options);
    if (tracks(tracker)) {
        static_cast<char*>(shared)[kPage] = 1;
        CHECK(tracker.collect() == std::vector<Region>{{kPage, kPage}});
    }
    munmap(shared, 4 * kPage);
}

TEST_CASE("memory that was replaced counts as written from then on") {
    const os::PlacedMemory memory = pages(4);
    const Part part{0, bytes_of(memory)};
    DirtyTracker tracker({&part, 1});
    REQUIRE(mmap(memory.data(), memory.size(), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory.data());
    for (int i = 0; i < 2; ++i) CHECK(tracker.collect() == std::vector<Region>{{0, memory.size()}});
    CHECK(!tracks(tracker));
    CHECK(!tracker.reason().empty());
}

TEST_CASE("pages that were given back to the kernel count as written: they are zeros now") {
    const os::PlacedMemory memory = pages(2048);
    std::fill_n(memory.data(), memory.size(), std::byte{1});
    const Part part{0, bytes_of(memory)};
    DirtyTracker tracker({&part, 1});
    REQUIRE(madvise(memory.data() + 2 * kPage, kPage, MADV_DONTNEED) == 0);
    REQUIRE(madvise(memory.data() + 512 * kPage, 1024 * kPage, MADV_DONTNEED) == 0);
    const auto written = tracker.collect();
    CHECK(covers(written, {{2 * kPage, kPage}, {512 * kPage, 1024 * kPage}}));
    // And once more: what there is now is not write-protected for having been there before.
    memory.data()[700 * kPage] = std::byte{1};
    CHECK(covers(tracker.collect(), {{700 * kPage, kPage}}));
}

#if !defined(__SANITIZE_THREAD__)  // forks, and reads while another thread writes
TEST_CASE("after a fork each process is told of its own memory, the child of all at first") {
    const os::PlacedMemory memory = pages(8);
    const Part part{0, bytes_of(memory)};
    DirtyTracker tracker({&part, 1});
    const bool tracked = tracks(tracker);
    const std::vector<Region> all{{0, memory.size()}};
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        bool right = tracker.collect() == all;
        memory.data()[5 * kPage] = std::byte{1};
        const auto second = tracker.collect();
        right = right && second == (tracked ? std::vector<Region>{{5 * kPage, kPage}} : all);
        _exit(right ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    memory.data()[2 * kPage] = std::byte{1};
    CHECK(tracker.collect() == (tracked ? std::vector<Region>{{2 * kPage, kPage}} : all));
}

TEST_CASE("an encoder with a tracker follows a state that a thread writes to") {
    for (const bool huge : {false, true}) {
        CAPTURE(huge);
        const os::PlacedMemory memory = pages(1024, huge);
        // Parts that no block of the encoder begins or ends with, one of them less than a page.
        const auto all = bytes_of(memory);
        const std::vector<Part> parts{{0, all.subspan(50, 70'000)},
                                      {70'016, all.subspan(71'000, 999)},
                                      {80'000, all.subspan(80'000)}};
        const std::uint64_t length = 80'000 + parts[2].bytes.size();
        delta::Options options;
        options.block_bytes = 64 << 10;
        delta::Encoder encoder(parts, length, options);
        DirtyTracker tracker(parts);
        std::vector<std::byte> replica(encoder.state().begin(), encoder.state().end());
        delta::Decoder decoder(replica);

        std::atomic<bool> stop{false};
        std::thread writer([&] {
            Random random(huge ? 5 : 3);
            while (!stop.load(std::memory_order_relaxed)) {  // pairs with the store below
                auto* const byte =
                    reinterpret_cast<unsigned char*>(all.data()) + random.below(all.size());
                __atomic_store_n(byte, static_cast<unsigned char>(random.next()),
                                 __ATOMIC_RELAXED);  // the encoder reads it meanwhile
            }
        });
        for (int i = 0; i < 50; ++i) {
            const auto encoded = encoder.encode(tracker);
            CHECK(decoder.apply(encoded) == encoder.digest());
        }
        stop.store(true, std::memory_order_relaxed);  // pairs with the load of the writer
        writer.join();
        decoder.apply(encoder.encode(tracker));
        for (const Part& part : parts) {
            const std::span<const std::byte> there(replica.data() + part.offset, part.bytes.size());
            CHECK(std::equal(there.begin(), there.end(), part.bytes.begin()));
        }
        CHECK(decoder.verify());
        // As many changes as a comparison of everything finds: none.
        static_cast<void>(encoder.encode(parts));
        CHECK(encoder.changed_lines() == 0);
    }
}

#endif

TEST_CASE("an encoder compares everything where it was not the last to ask the tracker") {
    const os::PlacedMemory memory = pages(16);
    const Part part{0, bytes_of(memory)};
    DirtyTracker tracker({&part, 1});
    delta::Encoder encoder({&part, 1}, memory.size());
    const auto changed_lines = [&](auto&& encode) {
        static_cast<void>(encode());
        return encoder.changed_lines();
    };
    const auto by_tracker = [&] { return encoder.encode(tracker); };
    const auto write = [&](std::size_t page) { memory.data()[page * kPage] ^= std::byte{1}; };

    write(1);
    static_cast<void>(tracker.collect());
    CHECK(changed_lines(by_tracker) == 1);
    write(2);
    static_cast<void>(tracker.collect());
    write(3);
    CHECK(changed_lines(by_tracker) == 2);
    // Another memory of the same layout: what changed against that, nobody has tracked.
    const os::PlacedMemory other = pages(16);
    const Part elsewhere{0, bytes_of(other)};
    CHECK(changed_lines([&] { return encoder.encode({&elsewhere, 1}); }) == 3);
    CHECK(changed_lines(by_tracker) == 3);
    CHECK(changed_lines(by_tracker) == 0);
    const Part shorter{0, bytes_of(other).first(5 * kPage)};
    DirtyTracker of_shorter({&shorter, 1});
    CHECK_THROWS_AS(static_cast<void>(encoder.encode(of_shorter)), std::invalid_argument);
}
