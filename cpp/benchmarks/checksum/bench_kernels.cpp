// GB/s of the XOR and checksum kernels on each instruction set, without Python, and how many times
// as fast as the portable code that is; beside them what the machine itself reaches.
//
//   bench_kernels [ROUNDS]
//
// All of one line take turns, and the best of each counts.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "dwcp/isa/isa.hpp"
#include "kernels/dispatch.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using dwcp::kernels::Table;

constexpr std::size_t kSizes[] = {4096, std::size_t{64} << 10, std::size_t{1} << 20,
                                  std::size_t{64} << 20};
constexpr std::size_t kBytesMax = std::size_t{64} << 20;

volatile std::uint64_t sink;

struct Free {
    void operator()(std::uint8_t* p) const { std::free(p); }
};
using Buffer = std::unique_ptr<std::uint8_t[], Free>;

// At the start of a page, in huge pages where there are any, and touched.
Buffer make_buffer(int value) {
    constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
    Buffer buffer(static_cast<std::uint8_t*>(std::aligned_alloc(kHugePageBytes, kBytesMax)));
    if (buffer == nullptr) throw std::bad_alloc();
    (void)madvise(buffer.get(), kBytesMax, MADV_HUGEPAGE);
    std::memset(buffer.get(), value, kBytesMax);
    return buffer;
}

struct Buffers {
    Buffer a = make_buffer(1);
    Buffer b = make_buffer(2);
    Buffer out = make_buffer(3);
};

struct Contestant {
    std::string name;
    std::function<void(std::size_t)> run;
};

double seconds_per_call(const Contestant& contestant, std::size_t size) {
    using Clock = std::chrono::steady_clock;
    const std::size_t calls = std::max<std::size_t>(1, (std::size_t{8} << 20) / size);
    const auto start = Clock::now();
    for (std::size_t i = 0; i < calls; ++i) contestant.run(size);
    return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(calls);
}

void measure(const char* what, const std::vector<Contestant>& contestants, int rounds) {
    std::printf("%s\n", what);
    for (const std::size_t size : kSizes) {
        std::vector<double> best(contestants.size(), 1e9);
        for (int round = 0; round < rounds; ++round) {
            for (std::size_t i = 0; i < contestants.size(); ++i) {
                best[i] = std::min(best[i], seconds_per_call(contestants[i], size));
            }
        }
        std::printf("%10zu bytes", size);
        for (std::size_t i = 0; i < contestants.size(); ++i) {
            std::printf("  %s %.1f (%.1fx)", contestants[i].name.c_str(),
                        static_cast<double>(size) / best[i] / 1e9, best[0] / best[i]);
        }
        std::printf("\n");
    }
}

// One kernel on each instruction set, the portable one first.
std::vector<Contestant> tiers(const std::function<void(const Table&, std::size_t)>& run) {
    std::vector<Contestant> contestants;
    for (std::size_t i = 0; i < dwcp::kernels::kTierCount; ++i) {
        const dwcp::kernels::TierInfo& tier = dwcp::kernels::tier(i);
        if (!tier.supported) continue;
        contestants.push_back(
            {tier.name, [run, table = tier.table](std::size_t size) { run(*table, size); }});
    }
    return contestants;
}

// What no XOR can pass: loads of both inputs and stores around the caches, in a plain loop.
void streaming_ceiling(Buffers& buffers, std::size_t size) {
#if defined(__x86_64__)
    for (std::size_t i = 0; i < size; i += 16) {
        const auto* a = reinterpret_cast<const __m128i*>(buffers.a.get() + i);
        const auto* b = reinterpret_cast<const __m128i*>(buffers.b.get() + i);
        _mm_stream_si128(reinterpret_cast<__m128i*>(buffers.out.get() + i),
                         _mm_xor_si128(_mm_loadu_si128(a), _mm_loadu_si128(b)));
    }
    _mm_sfence();
#else
    for (std::size_t i = 0; i < size; ++i) {
        buffers.out[i] = static_cast<std::uint8_t>(buffers.a[i] ^ buffers.b[i]);
    }
#endif
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
    if (rounds < 1) {
        std::fprintf(stderr, "bench_kernels: ROUNDS must be at least 1\n");
        return 2;
    }
    Buffers buffers;
    const std::uint8_t* const data = buffers.a.get();
    auto xors = tiers([&](const Table& table, std::size_t size) {
        const bool large = size > std::size_t{32} << 20;
        (large ? table.xor_bytes_streaming : table.xor_bytes)(buffers.out.get(), data,
                                                              buffers.b.get(), size);
    });
    xors.push_back({"streaming loop", [&](std::size_t size) { streaming_ceiling(buffers, size); }});
    measure("XOR into a third buffer (streaming stores at 64 MiB)", xors, rounds);

    using Kernel = std::uint32_t (*Table::*)(std::uint32_t, const std::uint8_t*, std::size_t);
    const std::array<std::pair<const char*, Kernel>, 7> kernels = {{
        {"CRC-32", &Table::crc32},
        {"CRC-32, as where multiplications are slow", &Table::crc32_slow_multiply},
        {"CRC-32C", &Table::crc32c},
        {"CRC-32C, as where multiplications are slow", &Table::crc32c_slow_multiply},
        {"Adler-32", &Table::adler32},
        {"Fletcher-32", &Table::fletcher32},
        {"XXH32", &Table::xxh32},
    }};
    for (const auto& [name, kernel] : kernels) {
        measure(name, tiers([&](const Table& table, std::size_t size) {
                    sink = (table.*kernel)(1, data, size);
                }),
                rounds);
    }
    measure("CRC-64/NVME", tiers([&](const Table& table, std::size_t size) {
                sink = table.crc64nvme(1, data, size);
            }),
            rounds);
    measure("XXH3, 64 bits", tiers([&](const Table& table, std::size_t size) {
                sink = table.xxh3_64(0, data, size);
            }),
            rounds);
    measure("reading: memchr of a byte that is not there",
            {{"memchr",
              [&](std::size_t size) {
                  sink = reinterpret_cast<std::uintptr_t>(std::memchr(data, 0, size));
              }}},
            rounds);
    return 0;
}
