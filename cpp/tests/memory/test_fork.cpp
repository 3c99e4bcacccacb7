#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "dwcp/memory/buffer_pool.hpp"
#include "dwcp/memory/slab_allocator.hpp"
#include "dwcp/memory/thread_local_pool.hpp"
#include "use_pool.hpp"

using namespace dwcp::memory;

namespace {

// `work` uses the pool, from a seed on for so many steps, and returns what went wrong.
template <typename Work, typename Get, typename Put>
void check_forks(Work&& work, Get&& get_one, Put&& put_one) {
    std::atomic<bool> end{false};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
            while (!end) CHECK(work(i + 1, 500) == 0);
        });
    }
    int failed = 0;
    for (int round = 0; round < 30; ++round) {
        const Buffer kept = get_one();
        const pid_t child = fork();
        if (child == 0) {
            int wrong = 0;
            std::thread([&] { wrong += work(9, 2000); }).join();
            wrong += work(10, 2000) + (is_whole(kept) ? 0 : 1);
            put_one(kept.data);
            _exit(wrong == 0 ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        failed += status == 0 ? 0 : 1;
        put_one(kept.data);
    }
    end = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(failed == 0);
}

template <typename Pool>
void check_forks_of_objects(Pool& pool, std::size_t size) {
    check_forks([&](unsigned seed, int steps) { return use_objects(pool, size, seed, steps); },
                [&] { return get_object(pool, size, 5); }, [&](void* data) { pool.put(data); });
}

}  // namespace

TEST_CASE("a child process goes on with what it finds, while threads were at work") {
    BufferPool pool({.address_space_bytes = std::size_t{1} << 30});
    check_forks([&](unsigned seed, int steps) { return use(pool, seed, steps); },
                [&] { return get(pool, 1000, 5); }, [&](void* data) { pool.put(data); });
}

TEST_CASE("so it does with slabs") {
    SlabAllocator slabs(72, 50);
    check_forks_of_objects(slabs, 72);
}

TEST_CASE("so it does with buffers of threads") {
    ThreadLocalPool pool(1000, {.buffers_per_thread = 4});
    check_forks_of_objects(pool, 1000);
}
