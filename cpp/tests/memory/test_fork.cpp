#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "dwcp/memory/buffer_pool.hpp"
#include "use_pool.hpp"

using namespace dwcp::memory;

TEST_CASE("a child process goes on with what it finds, while threads were at work") {
    BufferPool pool({.address_space_bytes = std::size_t{1} << 30});
    std::atomic<bool> end{false};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
            while (!end) CHECK(use(pool, i + 1, 500) == 0);
        });
    }
    int failed = 0;
    for (int round = 0; round < 30; ++round) {
        const Buffer kept = get(pool, 1000, 5);
        const pid_t child = fork();
        if (child == 0) {
            int wrong = 0;
            std::thread([&] { wrong += use(pool, 9, 2000); }).join();
            wrong += use(pool, 10, 2000) + (is_whole(kept) ? 0 : 1);
            pool.put(kept.data);
            _exit(wrong == 0 ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        failed += status == 0 ? 0 : 1;
        pool.put(kept.data);
    }
    end = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(failed == 0);
}
