// The fused scan (compare, pack changed lines, update the previous copy) against memcmp of the same
// two streams, for every instruction set, in turns.
//
//   bench_scan [MiB of state]        default: 256, and 256 KiB in cache
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "bytes.hpp"
#include "dwcp/isa/isa.hpp"
#include "kernels/dispatch.hpp"
#include "os/file.hpp"

using namespace dwcp;

namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
constexpr int kRounds = 10;

double seconds() {
    using Clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

// Makes the compiler believe that all memory may have changed: memcmp of the same bytes would
// otherwise be done once.
void forget() {
    asm volatile("" ::: "memory");
}

// Best seconds of one call, each measurement long enough for the clock.
class Best {
  public:
    template <typename Work>
    void measure(std::size_t calls, Work&& work) {
        const double start = seconds();
        for (std::size_t i = 0; i < calls; ++i) work(i);
        best_ = std::min(best_, (seconds() - start) / static_cast<double>(calls));
    }
    [[nodiscard]] double seconds_min() const { return best_; }

  private:
    double best_ = std::numeric_limits<double>::infinity();
};

void run(std::size_t size, double share) {
    const os::Pages first(size);
    const os::Pages second(size);
    const os::Pages previous(size);
    const os::Pages packed(kBlockBytes + kernels::kLineBytes);
    std::vector<std::uint64_t> masks(kBlockBytes / kernels::kPageBytes);
    std::uint64_t word = 1;
    for (std::size_t at = 0; at < size; at += sizeof word) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        std::memcpy(first.bytes().data() + at, &word, sizeof word);
    }
    std::memcpy(second.bytes().data(), first.bytes().data(), size);
    std::memcpy(previous.bytes().data(), first.bytes().data(), size);

    // Both scans of a pair see the same share of changed lines: they lead to and fro.
    const os::Pages changed(size);
    std::memcpy(changed.bytes().data(), first.bytes().data(), size);
    for (std::size_t at = 0; at < size; at += kernels::kLineBytes) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        if (static_cast<double>(word >> 11) * 0x1p-53 < share) changed.bytes()[at] ^= std::byte{1};
    }
    const std::array<const std::byte*, 2> states = {changed.bytes().data(), first.bytes().data()};
    const std::size_t calls = std::max<std::size_t>(2, (std::size_t{32} << 20) / size * 2);
    std::size_t sink = 0;

    for (const std::string& name : isa::available()) {
        isa::force(name);
        const kernels::Table& kernels = kernels::active();
        Best scan;
        Best compare;
        for (int round = 0; round < kRounds; ++round) {
            scan.measure(calls, [&](std::size_t i) {
                for (std::size_t at = 0; at < size; at += kBlockBytes) {
                    const std::size_t lines =
                        std::min(kBlockBytes, size - at) / kernels::kLineBytes;
                    sink += kernels.scan_update(as_u8(states[i % 2] + at),
                                                as_u8(previous.bytes().data() + at), lines,
                                                masks.data(), as_u8(packed.bytes().data()));
                }
            });
            compare.measure(calls, [&](std::size_t) {
                forget();
                sink += static_cast<std::size_t>(
                    std::memcmp(first.bytes().data(), second.bytes().data(), size) == 0);
            });
        }
        const double bytes = static_cast<double>(size);
        std::printf("%9zu KiB  %5.1f%%  %-7s %7.1f GB/s   memcmp %7.1f GB/s   ratio %.2f\n",
                    size >> 10, share * 100, name.c_str(), bytes / scan.seconds_min() / 1e9,
                    bytes / compare.seconds_min() / 1e9,
                    compare.seconds_min() / scan.seconds_min());
    }
    if (sink == 0) std::puts("");
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t mebibytes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 256;
    if (mebibytes == 0) {
        std::fprintf(stderr, "usage: bench_scan [MiB of state, from 1]\n");
        return 2;
    }
    for (const double share : {0.0, 0.01, 0.1, 0.5}) run(mebibytes << 20, share);
    for (const double share : {0.0, 0.01, 0.1, 0.5}) run(std::size_t{256} << 10, share);
    return 0;
}
