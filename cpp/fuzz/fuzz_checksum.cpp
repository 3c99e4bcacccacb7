// All checksum kernels of all instruction sets against the portable ones, whole and in two parts,
// and xxHash against the library.
#include <xxhash.h>

#include <string_view>
#include <vector>

#include "input.hpp"

using namespace dwcp;
using namespace dwcp::fuzzing;

namespace {

using Narrow = std::uint32_t (*)(std::uint32_t, const std::uint8_t*, std::size_t);

struct Kernel {
    const char* name;
    Narrow kernels::Table::* run;
    // Lengths after which the function can go on.
    std::size_t unit;
    std::uint32_t modulus;  // of both halves of the register; 0: any register
};

constexpr Kernel kKernels[] = {
    {"crc32", &kernels::Table::crc32, 1, 0},
    {"crc32_slow_multiply", &kernels::Table::crc32_slow_multiply, 1, 0},
    {"crc32c", &kernels::Table::crc32c, 1, 0},
    {"crc32c_slow_multiply", &kernels::Table::crc32c_slow_multiply, 1, 0},
    {"adler32", &kernels::Table::adler32, 1, 65521},
    {"fletcher32", &kernels::Table::fletcher32, 2, 65535},
};

std::uint32_t state_for(const Kernel& kernel, std::uint64_t random) {
    if (kernel.modulus == 0) return static_cast<std::uint32_t>(random);
    return static_cast<std::uint32_t>((random >> 32) % kernel.modulus << 16 |
                                      (random & 0xFFFFFFFF) % kernel.modulus);
}

// A mistake in the sense of DWCP_FUZZ_PLANTED: one bit, for messages of one kind.
std::uint32_t planted([[maybe_unused]] const char* tier,
                      [[maybe_unused]] std::span<const std::uint8_t> data) {
#if defined(DWCP_FUZZ_PLANTED)
    return std::string_view(tier) != "scalar" && data.size() > 70 && data[3] < 16 ? 1 : 0;
#else
    return 0;
#endif
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    Input input(bytes, size);
    const std::size_t offset = input.below(64);
    const std::uint64_t random = input.number();
    // One input in sixteen is repeated up to the lengths at which kernels change their way.
    const std::size_t kind = input.below(256);
    constexpr std::size_t kLongBytes = 150'000;
    const std::size_t length = input.rest().size();
    const std::size_t repeat = kind % 16 == 0 && length > 0 ? 1 + (kLongBytes + kind) / length : 1;
    std::vector<std::uint8_t> message;
    for (std::size_t i = 0; i < repeat; ++i) {
        message.insert(message.end(), input.rest().begin(), input.rest().end());
    }
    const Copy data(message, offset);
    const std::size_t cut = message.empty() ? 0 : static_cast<std::size_t>(random) % message.size();
    const kernels::Table& portable = *kernels::tier(kernels::kTier_scalar).table;
    for_each_tier([&](const kernels::Table& table, const char* tier) {
        for (const Kernel& kernel : kKernels) {
            const std::uint32_t state = state_for(kernel, random);
            const std::uint32_t expected = (portable.*kernel.run)(state, data.data(), data.size());
            const std::uint32_t whole = (table.*kernel.run)(state, data.data(), data.size());
            require_equal(kernel.name, tier, std::uint32_t{whole ^ planted(tier, message)},
                          expected);
            const std::size_t first = cut / kernel.unit * kernel.unit;
            const std::uint32_t part = (table.*kernel.run)(state, data.data(), first);
            require_equal(kernel.name, tier,
                          (table.*kernel.run)(part, data.data() + first, data.size() - first),
                          expected);
        }
        require_equal("crc64nvme", tier, table.crc64nvme(random, data.data(), data.size()),
                      portable.crc64nvme(random, data.data(), data.size()));
        require_equal("crc64nvme_multiply", tier, table.crc64nvme_multiply(random, ~random << 1),
                      portable.crc64nvme_multiply(random, ~random << 1));
        const std::uint64_t seed = (random & 1) != 0 ? random : 0;
        std::uint64_t low_high[2];
        table.xxh3_128(seed, data.data(), data.size(), low_high);
        require_equal("xxh3_128", tier, low_high[1],
                      std::uint64_t{XXH3_128bits_withSeed(data.data(), data.size(), seed).high64});
        require_equal("xxh3_64", tier, table.xxh3_64(seed, data.data(), data.size()),
                      std::uint64_t{XXH3_64bits_withSeed(data.data(), data.size(), seed)});
        require_equal(
            "xxh32", tier, table.xxh32(static_cast<std::uint32_t>(seed), data.data(), data.size()),
            std::uint32_t{XXH32(data.data(), data.size(), static_cast<std::uint32_t>(seed))});
    });
    return 0;
}
