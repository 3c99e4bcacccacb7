// Copies and fills beside memcpy and memset, what they leave of other data in the cache, rows by
// their numbers beside a plain loop, and counters of two threads that share lines or do not.
//
//   bench_cache [ROUNDS]
//
// In each row all take turns, round after round, and the best of each counts; of what is left in
// the cache, the median. A ratio above 1 means that ours is faster. Wants two processors.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

#include "../processors.hpp"
#include "dwcp/cache/cache.hpp"
#include "dwcp/cache/copy.hpp"
#include "dwcp/cache/padded.hpp"
#include "os/pages.hpp"

namespace dwcp::bench {

namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

double seconds() {
    using Clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

// Memory on huge pages where they can be had, so that translation does not count.
class Memory {
  public:
    explicit Memory(std::size_t size) : size_(os::up_to(size, 2 * kMebibyte)) {
        data_ = os::map_aligned(size_, 2 * kMebibyte, PROT_READ | PROT_WRITE);
        if (data_ == nullptr) std::abort();
        madvise(data_, size_, MADV_HUGEPAGE);
        os::touch_pages(data_, size_);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { munmap(data_, size_); }
    [[nodiscard]] std::span<std::byte> first(std::size_t size) const { return {data_, size}; }

  private:
    std::byte* data_;
    std::size_t size_;
};

struct Contestant {
    const char* name;
    std::function<void()> run;
    std::vector<double> times{};

    [[nodiscard]] double best() const { return *std::min_element(times.begin(), times.end()); }
    [[nodiscard]] double median() {
        std::nth_element(times.begin(),
                         times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                         times.end());
        return times[times.size() / 2];
    }
};

// Each begins once: who follows another finds the cache as that one left it.
void take_turns(std::span<Contestant> all, int rounds, int calls) {
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            Contestant& contestant = all[(i + static_cast<std::size_t>(round)) % all.size()];
            contestant.run();
            const double start = seconds();
            for (int call = 0; call < calls; ++call) contestant.run();
            contestant.times.push_back((seconds() - start) / calls);
        }
    }
}

// GB/s of each, and how many times as fast the first is as the second.
void show(const char* work, std::size_t size, std::span<Contestant> all) {
    std::printf("%-10s %9zu KiB", work, size >> 10);
    for (const Contestant& contestant : all) {
        std::printf("  %s %.1f GB/s", contestant.name,
                    static_cast<double>(size) / contestant.best() / 1e9);
    }
    std::printf(": %.2f\n", all[1].best() / all[0].best());
}

int calls_for(std::size_t size) {
    return static_cast<int>(std::max<std::size_t>(1, 32 * kMebibyte / size));
}

constexpr std::size_t kSizes[] = {4 << 10,        64 << 10,       kMebibyte,      8 * kMebibyte,
                                  32 * kMebibyte, 64 * kMebibyte, 256 * kMebibyte};

void copies(int rounds) {
    const Memory from(256 * kMebibyte);
    const Memory to(256 * kMebibyte);
    for (const std::size_t size : kSizes) {
        const auto src = from.first(size);
        const auto dst = to.first(size);
        std::array<Contestant, 3> all{
            {{"dwcp", [=] { cache::copy(dst, src); }},
             {"memcpy", [=] { std::memcpy(dst.data(), src.data(), dst.size()); }},
             {"demoting", [=] { cache::copy(dst, src, cache::Stores::kNontemporal, true); }}}};
        take_turns(all, rounds, calls_for(size));
        show("copy", size, all);
    }
}

void fills(int rounds) {
    const Memory to(256 * kMebibyte);
    for (const std::size_t size : kSizes) {
        const auto dst = to.first(size);
        std::array<Contestant, 2> all{
            {{"dwcp", [=] { cache::fill(dst, std::byte{1}); }},
             {"memset", [=] { std::memset(dst.data(), 1, dst.size()); }}}};
        take_turns(all, rounds, calls_for(size));
        show("fill", size, all);
    }
}

// Lines each of which says where the next one is, in random order: what is not in the cache is
// waited for.
class Chain {
  public:
    explicit Chain(std::size_t size) : memory_(size), lines_(size / cache::kLineBytes) {
        std::vector<std::size_t> order(lines_);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::uint64_t word = 1;
        for (std::size_t i = lines_ - 1; i > 0; --i) {
            word = word * 6364136223846793005u + 1442695040888963407u;
            std::swap(order[i], order[(word >> 33) % (i + 1)]);
        }
        for (std::size_t i = 0; i < lines_; ++i) {
            *link(order[i]) = reinterpret_cast<std::byte*>(link(order[(i + 1) % lines_]));
        }
    }
    // Nanoseconds a line.
    double walk() const {
        const double start = seconds();
        std::byte* place = memory_.first(1).data();
        for (std::size_t i = 0; i < lines_; ++i) place = *reinterpret_cast<std::byte**>(place);
        asm volatile("" : : "r"(place));
        return (seconds() - start) * 1e9 / static_cast<double>(lines_);
    }

  private:
    [[nodiscard]] std::byte** link(std::size_t line) const {
        return reinterpret_cast<std::byte**>(memory_.first(1).data() + line * cache::kLineBytes);
    }
    Memory memory_;
    std::size_t lines_;
};

void what_is_left(int rounds) {
    constexpr std::size_t kSize = 64 * kMebibyte;
    const Memory from(kSize);
    const Memory to(kSize);
    const auto src = from.first(kSize);
    const auto dst = to.first(kSize);
    using cache::Stores;
    for (const std::size_t other : {kMebibyte / 4, kMebibyte}) {
        const Chain chain(other);
        std::array<Contestant, 6> all{
            {{"nothing", [] {}},
             {"dwcp copy", [=] { cache::copy(dst, src, Stores::kNontemporal); }},
             {"dwcp copy demoting", [=] { cache::copy(dst, src, Stores::kNontemporal, true); }},
             {"memcpy", [=] { std::memcpy(dst.data(), src.data(), dst.size()); }},
             {"dwcp fill", [=] { cache::fill(dst, std::byte{1}, Stores::kNontemporal); }},
             {"memset", [=] { std::memset(dst.data(), 1, dst.size()); }}}};
        for (int round = 0; round < rounds; ++round) {
            for (Contestant& contestant : all) {
                chain.walk();
                chain.walk();
                contestant.run();
                contestant.times.push_back(chain.walk());
            }
        }
        std::printf("%zu KiB of other data, read after 64 MiB, ns a line:", other >> 10);
        for (Contestant& contestant : all) {
            std::printf("  %s %.1f", contestant.name, contestant.median());
        }
        std::printf("\n");
    }
}

void gathers(int rounds) {
    constexpr std::size_t kSize = 64 * kMebibyte;
    const Memory table(kSize);
    const Memory out(kSize);
    for (const std::size_t row : {16, 64, 256}) {
        std::vector<std::int64_t> rows(kSize / row);
        std::uint64_t word = 1;
        for (std::int64_t& number : rows) {
            word = word * 6364136223846793005u + 1442695040888963407u;
            number = static_cast<std::int64_t>((word >> 33) % rows.size());
        }
        const auto from = table.first(kSize);
        const auto to = out.first(kSize);
        std::array<Contestant, 2> all{
            {{"dwcp", [&] { cache::gather(from, row, rows, to); }},
             {"loop", [&] {
                  for (std::size_t i = 0; i < rows.size(); ++i) {
                      std::memcpy(to.data() + i * row,
                                  from.data() + static_cast<std::size_t>(rows[i]) * row, row);
                  }
              }}}};
        take_turns(all, rounds, 1);
        std::printf("rows of %zu bytes: ", row);
        show("gather", kSize, all);
    }
}

// Nanoseconds for one addition of each of two threads to its own counter.
template <typename Counter>
double by_two_threads(std::span<Counter> counters) {
    constexpr int kCount = 2'000'000;
    std::barrier begin(2);
    std::array<double, 2> times{};
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < 2; ++i) {
            threads.emplace_back([&, i] {
                tie_to(static_cast<int>(i));
                begin.arrive_and_wait();
                const double start = seconds();
                for (int k = 0; k < kCount; ++k) counters[i].add(1);
                times[i] = (seconds() - start) * 1e9 / kCount;
            });
        }
    }
    return std::max(times[0], times[1]);
}

// What PaddedCounter would be without the padding.
struct PackedCounter {
    std::atomic<std::int64_t> value{0};
    std::int64_t add(std::int64_t number) {
        return value.fetch_add(number, std::memory_order_acq_rel) + number;
    }
};

void false_sharing(int rounds) {
    double packed = 1e9;
    double padded = 1e9;
    cache::AlignedArray<PackedCounter> in_one_line(2);
    cache::AlignedArray<cache::PaddedCounter> in_their_own(2, cache::kSeparationBytes);
    for (int round = 0; round < rounds; ++round) {
        packed = std::min(packed, by_two_threads(in_one_line.span()));
        padded = std::min(padded, by_two_threads(in_their_own.span()));
    }
    std::printf("counters of two threads, ns an addition:  padded %.1f  in one line %.1f: %.2f\n",
                padded, packed, packed / padded);
}

}  // namespace

}  // namespace dwcp::bench

int main(int argc, char** argv) {
    using namespace dwcp::bench;
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    if (rounds < 1 || argc > 2) {
        std::fprintf(stderr, "usage: bench_cache [ROUNDS]\n");
        return 2;
    }
    tie_to(0);
    copies(rounds);
    fills(rounds);
    what_is_left(rounds);
    gathers(rounds);
    false_sharing(rounds);
    return 0;
}
