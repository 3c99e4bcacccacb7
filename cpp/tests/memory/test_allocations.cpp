// Once warm, pools allocate nothing and ask the kernel for nothing. This program counts: it has its
// own malloc and system calls for memory, through which those of the library and of libstdc++ go,
// and hands them on.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <thread>

#include "dwcp/memory/buffer_pool.hpp"
#include "dwcp/memory/slab_allocator.hpp"
#include "dwcp/memory/thread_local_pool.hpp"

namespace {

std::atomic<std::uint64_t> allocations{0};
std::atomic<std::uint64_t> kernel_calls{0};  // that have to do with memory

void count(std::atomic<std::uint64_t>& calls) {
    calls.fetch_add(1, std::memory_order_relaxed);
}
std::uint64_t calls() {
    return allocations.load() + kernel_calls.load();
}

}  // namespace

extern "C" {
// Of glibc.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* data, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
    count(allocations);
    return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
    count(allocations);
    return __libc_calloc(number, size);
}
void* realloc(void* data, std::size_t size) {
    count(allocations);
    return __libc_realloc(data, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    count(allocations);
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** data, std::size_t alignment, std::size_t size) {
    count(allocations);
    *data = __libc_memalign(alignment, size);
    return *data == nullptr ? ENOMEM : 0;
}
void* mmap(void* address, std::size_t size, int protection, int flags, int fd, off_t offset) {
    count(kernel_calls);
    return reinterpret_cast<void*>(syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}
int munmap(void* address, std::size_t size) {
    count(kernel_calls);
    return static_cast<int>(syscall(SYS_munmap, address, size));
}
int mprotect(void* address, std::size_t size, int protection) {
    count(kernel_calls);
    return static_cast<int>(syscall(SYS_mprotect, address, size, protection));
}
int madvise(void* address, std::size_t size, int advice) {
    count(kernel_calls);
    return static_cast<int>(syscall(SYS_madvise, address, size, advice));
}
}

using namespace dwcp::memory;

namespace {

// Calls while `work` is done the second time.
template <typename Work>
std::uint64_t calls_once_warm(Work&& work) {
    work();
    const std::uint64_t before = calls();
    work();
    return calls() - before;
}

// Two threads in lockstep: the first gets, the second puts, as many as go round in batches.
template <typename Get, typename Put>
std::uint64_t calls_across_threads(Get&& get, Put&& put) {
    constexpr int kRounds = 20;
    constexpr int kWarm = 10;
    std::array<void*, 100> buffers{};
    std::barrier step(2);
    std::thread other([&] {
        for (int round = 0; round < kRounds; ++round) {
            step.arrive_and_wait();
            for (void* buffer : buffers) put(buffer);
            step.arrive_and_wait();
        }
        step.arrive_and_wait();  // a thread that ends gives back what it has
    });
    std::uint64_t before = 0;
    for (int round = 0; round < kRounds; ++round) {
        if (round == kWarm) before = calls();
        for (void*& buffer : buffers) buffer = get();
        step.arrive_and_wait();
        step.arrive_and_wait();
    }
    const std::uint64_t result = calls() - before;
    step.arrive_and_wait();
    other.join();
    return result;
}

template <typename Pool>
std::uint64_t calls_for_many(Pool& pool) {
    std::array<void*, 200> objects{};
    return calls_once_warm([&] {
        for (int i = 0; i < 1000; ++i) pool.put(pool.get());
        for (void*& object : objects) object = pool.get();
        for (void* object : objects) pool.put(object);
        pool.get_many(objects);
        pool.put_many(objects);
    });
}

}  // namespace

TEST_CASE("calls that are planted are counted") {
    const auto counted = [](const std::atomic<std::uint64_t>& kind, auto&& call) {
        const std::uint64_t before = kind.load();
        call();
        return kind.load() - before;
    };
    const auto allocate = [] { delete std::launder(new volatile int(5)); };
    struct alignas(128) Line {
        volatile char bytes[128];
    };
    CHECK(counted(allocations, [] {}) == 0);
    CHECK(counted(allocations, allocate) == 1);
    CHECK(counted(allocations, [] { delete std::launder(new Line); }) == 1);
    CHECK(counted(kernel_calls, allocate) == 0);
    BufferPool pool;
    CHECK(counted(kernel_calls, [&] { pool.put(pool.get(100)); }) > 0);
    CHECK(counted(kernel_calls, [&] { pool.trim(); }) > 0);
    CHECK(calls_once_warm(allocate) == 1);
    const auto get = [&] {
        allocate();
        return pool.get(100);
    };
    CHECK(calls_across_threads(get, [&](void* buffer) { pool.put(buffer); }) == 1000);
}

TEST_CASE("a buffer pool allocates nothing once warm, in no class and not beyond") {
    BufferPool pool;
    for (std::size_t size_class = 0; size_class < kSizeClasses + 2; ++size_class) {
        const std::size_t size = class_bytes(size_class);
        CAPTURE(size);
        std::array<void*, 8> buffers{};
        CHECK(calls_once_warm([&] {
                  for (int i = 0; i < 1000; ++i) pool.put(pool.get(size));
                  for (void*& buffer : buffers) buffer = pool.get(size);
                  for (void* buffer : buffers) pool.put(buffer);
                  pool.get_many(size, buffers);
                  pool.put_many(buffers);
              }) == 0);
    }
    CHECK(pool.stats().all.hit_rate() > 0.99);
}

TEST_CASE("nor does it where another thread puts what one gets") {
    BufferPool pool;
    for (std::size_t size_class = 0; size_class < kSizeClasses; ++size_class) {
        CAPTURE(size_class);
        CHECK(calls_across_threads([&] { return pool.get(class_bytes(size_class)); },
                                   [&](void* buffer) { pool.put(buffer); }) == 0);
    }
}

TEST_CASE("slab allocators and thread-local pools allocate nothing once warm") {
    for (const std::size_t size : {1, 24, 64, 1000, 4096, 100'000}) {
        CAPTURE(size);
        SlabAllocator slabs(size, 50);
        CHECK(calls_for_many(slabs) == 0);
        CHECK(calls_across_threads([&] { return slabs.get(); },
                                   [&](void* object) { slabs.put(object); }) == 0);
        ThreadLocalPool pool(size);
        CHECK(calls_for_many(pool) == 0);
        CHECK(calls_across_threads([&] { return pool.get(); },
                                   [&](void* object) { pool.put(object); }) == 0);
    }
}
