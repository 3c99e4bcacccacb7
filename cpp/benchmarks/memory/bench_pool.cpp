// The buffer pool, the slab allocator and the thread-local pool beside malloc of the C library,
// jemalloc, mimalloc and tcmalloc: nanoseconds to get a buffer and give it back.
//
//   bench_pool [ROUNDS]
//
// Each contestant is a process of its own, the allocators by LD_PRELOAD (libjemalloc2,
// libmimalloc2.0, libtcmalloc-minimal4 of Debian); those that are not installed are left out. In
// each row all take turns, round after round, and the best of each counts; after a colon how many
// times as fast the buffer pool is as the best of the others.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../processors.hpp"
#include "dwcp/lockfree/spsc_ring.hpp"
#include "dwcp/memory/buffer_pool.hpp"
#include "dwcp/memory/slab_allocator.hpp"
#include "dwcp/memory/thread_local_pool.hpp"

namespace dwcp::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Contestant {
    const char* name;
    const char* library;  // preloaded; nullptr: none
};
constexpr Contestant kContestants[] = {{"dwcp", nullptr},
                                       {"slab", nullptr},
                                       {"thread-local", nullptr},
                                       {"glibc", nullptr},
                                       {"jemalloc", "libjemalloc.so.2"},
                                       {"mimalloc", "libmimalloc.so.2"},
                                       {"tcmalloc", "libtcmalloc_minimal.so.4"}};

constexpr std::size_t kOurs = 3;

struct Pool {
    static constexpr bool kHasPages = true;
    memory::BufferPool pool{};
    explicit Pool(std::size_t) {}
    void* get(std::size_t size) { return pool.get(size); }
    void put(void* buffer) { pool.put(buffer); }
};
// Of one size.
struct Slab {
    static constexpr bool kHasPages = true;
    memory::SlabAllocator allocator;
    explicit Slab(std::size_t size) : allocator(size, (std::size_t{2} << 20) / size) {}
    void* get(std::size_t) { return allocator.get(); }
    void put(void* buffer) { allocator.put(buffer); }
};
struct ThreadLocal {
    static constexpr bool kHasPages = true;
    memory::ThreadLocalPool pool;
    explicit ThreadLocal(std::size_t size) : pool(size) {}
    void* get(std::size_t) { return pool.get(); }
    void put(void* buffer) { pool.put(buffer); }
};
struct Malloc {
    static constexpr bool kHasPages = false;
    explicit Malloc(std::size_t) {}
    void* get(std::size_t size) {
        void* const buffer = std::malloc(size);
        // Or the compiler leaves both calls out.
        asm volatile("" : : "r"(buffer) : "memory");
        return buffer;
    }
    void put(void* buffer) { std::free(buffer); }
};

double ns_since(Clock::time_point start, int count) {
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / count;
}

void touch(void* buffer, std::size_t size) {
    for (std::size_t at = 0; at < size; at += 4096) {
        static_cast<volatile char*>(buffer)[at] = 1;
    }
}

// A function of its own, as in a program: in a large one the compiler runs out of registers.
template <typename Source>
[[gnu::noinline]] double by_one_thread(Source& source, std::size_t size) {
    const int count = size > (64 << 10) ? 20'000 : 200'000;
    for (int i = 0; i < 100; ++i) source.put(source.get(size));
    const auto start = Clock::now();
    for (int i = 0; i < count; ++i) source.put(source.get(size));
    return ns_since(start, count);
}

// Pages that are not there come when they are used.
template <typename Source>
double with_pages(Source& source, std::size_t size) {
    constexpr int kCount = 2'000;
    by_one_thread(source, size);  // warms up
    const auto start = Clock::now();
    for (int i = 0; i < kCount; ++i) {
        void* const buffer = source.get(size);
        if (!Source::kHasPages) touch(buffer, size);
        source.put(buffer);
    }
    return ns_since(start, kCount);
}

// Each for itself.
template <typename Source>
double by_two_threads(Source& source, std::size_t size) {
    std::barrier begin(2);
    double other = 0;
    std::jthread thread([&] {
        tie_to(1);
        begin.arrive_and_wait();
        other = by_one_thread(source, size);
    });
    begin.arrive_and_wait();
    const double own = by_one_thread(source, size);
    thread.join();
    return std::max(own, other);
}

// One gets, writes a byte and hands over; the other gives back.
template <typename Source>
double to_another_thread(Source& source, std::size_t size) {
    const int count = size > (64 << 10) ? 5'000 : 100'000;
    lockfree::SpscRing<void*> ring(std::clamp<std::size_t>((std::size_t{8} << 20) / size, 4, 1024));
    std::barrier begin(2);
    std::jthread thread([&] {
        tie_to(1);
        begin.arrive_and_wait();
        void* buffer = nullptr;
        for (int i = 0; i < count;) {
            if (!ring.try_get(buffer)) continue;
            source.put(buffer);
            ++i;
        }
    });
    begin.arrive_and_wait();
    const auto start = Clock::now();
    for (int i = 0; i < count; ++i) {
        void* const buffer = source.get(size);
        *static_cast<volatile char*>(buffer) = 1;
        while (!ring.try_put(buffer)) {
        }
    }
    thread.join();
    return ns_since(start, count);
}

constexpr std::size_t kSizes[] = {64, 1 << 10, 64 << 10, 1 << 20};
constexpr const char* kWorks[] = {"by one thread", "by each of two threads",
                                  "put by another thread", "pages touched"};

// Smaller memory has its pages in any case.
bool is_measured(std::string_view work, std::size_t size) {
    return work != kWorks[3] || size >= (64 << 10);
}

template <typename Source>
double measure(std::string_view work, std::size_t size) {
    Source source(size);
    if (work == kWorks[0]) return by_one_thread(source, size);
    if (work == kWorks[1]) return by_two_threads(source, size);
    if (work == kWorks[2]) {
        to_another_thread(source, size);  // warms up
        return to_another_thread(source, size);
    }
    return with_pages(source, size);
}

double measure_as(std::string_view name, std::string_view work, std::size_t size) {
    if (name == "dwcp") return measure<Pool>(work, size);
    if (name == "slab") return measure<Slab>(work, size);
    if (name == "thread-local") return measure<ThreadLocal>(work, size);
    return measure<Malloc>(work, size);
}

// Prints a line for each row.
int work_as(const Contestant& contestant) {
    tie_to(0);
    if (contestant.library != nullptr) {
        Dl_info found{};
        // By name: the address in this program may be that of its own table of calls.
        if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &found) == 0 ||
            std::strstr(found.dli_fname, contestant.library) == nullptr) {
            return 1;
        }
    }
    for (const char* work : kWorks) {
        for (const std::size_t size : kSizes) {
            if (!is_measured(work, size)) continue;
            std::printf("%.3f\n", measure_as(contestant.name, work, size));
        }
    }
    return 0;
}

std::vector<double> results_of(const char* program, const Contestant& contestant) {
    const std::string command =
        (contestant.library == nullptr ? std::string()
                                       : "LD_PRELOAD=" + std::string(contestant.library) + " ") +
        program + " --as " + contestant.name + " 2>/dev/null";
    std::vector<double> results;
    FILE* const pipe = popen(command.c_str(), "r");
    double value = 0;
    while (pipe != nullptr && std::fscanf(pipe, "%lf", &value) == 1) results.push_back(value);
    if (pipe == nullptr || pclose(pipe) != 0) results.clear();
    return results;
}

}  // namespace

}  // namespace dwcp::bench

int main(int argc, char** argv) {
    using namespace dwcp::bench;
    if (argc == 3 && std::string_view(argv[1]) == "--as") {
        for (const Contestant& contestant : kContestants) {
            if (std::string_view(argv[2]) == contestant.name) return work_as(contestant);
        }
    }
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    if (rounds < 1 || argc > 2) {
        std::fprintf(stderr, "usage: bench_pool [ROUNDS]\n");
        return 2;
    }
    std::vector<std::vector<double>> best(std::size(kContestants));
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < std::size(kContestants); ++i) {
            const std::vector<double> results = results_of(argv[0], kContestants[i]);
            if (best[i].empty()) best[i] = results;
            for (std::size_t row = 0; row < std::min(results.size(), best[i].size()); ++row) {
                best[i][row] = std::min(best[i][row], results[row]);
            }
        }
    }
    std::size_t row = 0;
    for (const char* work : kWorks) {
        for (const std::size_t size : kSizes) {
            if (!is_measured(work, size)) continue;
            std::printf("%-24s %8zu bytes, ns:", work, size);
            double others = 0;
            for (std::size_t i = 0; i < std::size(kContestants); ++i) {
                if (best[i].empty()) continue;
                std::printf("  %s %.1f", kContestants[i].name, best[i][row]);
                if (i >= kOurs)
                    others = others == 0 ? best[i][row] : std::min(others, best[i][row]);
            }
            std::printf(": %.2f\n", others / best[0][row]);
            ++row;
        }
    }
    return 0;
}
