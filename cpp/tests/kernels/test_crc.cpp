#include "dwcp/checksum/crc.hpp"
#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

std::uint64_t bit_by_bit(std::uint64_t state, std::uint64_t poly,
                         std::span<const std::uint8_t> data) {
    for (const std::uint8_t byte : data) {
        state ^= byte;
        for (int i = 0; i < 8; ++i) state = (state >> 1) ^ ((state & 1) != 0 ? poly : 0);
    }
    return state;
}

constexpr std::uint64_t kPoly64 = 0x9A6C9329AC4BC9B5u;
constexpr std::uint64_t kPoly32 = 0xEDB88320u;
constexpr std::uint64_t kPoly32C = 0x82F63B78u;

// All CRC kernels with one signature: the forms for slow multiplications are tested like the
// others.
struct Kernel {
    const char* name;
    std::uint64_t poly;
    std::uint64_t (*run)(const kernels::Table&, std::uint64_t, const std::uint8_t*, std::size_t);
};

template <auto kMember>
std::uint64_t narrow(const kernels::Table& table, std::uint64_t state, const std::uint8_t* data,
                     std::size_t size) {
    return (table.*kMember)(static_cast<std::uint32_t>(state), data, size);
}

std::uint64_t wide(const kernels::Table& table, std::uint64_t state, const std::uint8_t* data,
                   std::size_t size) {
    return table.crc64nvme(state, data, size);
}

constexpr Kernel kKernels[] = {
    {"crc32", kPoly32, narrow<&kernels::Table::crc32>},
    {"crc32, slow multiplications", kPoly32, narrow<&kernels::Table::crc32_slow_multiply>},
    {"crc32c", kPoly32C, narrow<&kernels::Table::crc32c>},
    {"crc32c, slow multiplications", kPoly32C, narrow<&kernels::Table::crc32c_slow_multiply>},
    {"crc64nvme", kPoly64, wide},
};

std::uint64_t state_for(const Kernel& kernel, std::uint64_t random) {
    return kernel.poly == kPoly64 ? random : random & 0xFFFFFFFFu;
}

}  // namespace

TEST_CASE("CRCs agree with a bit-at-a-time reference at every length") {
    const auto data = random_bytes(1200, 1);
    Random random(4);
    for (const Kernel& kernel : kKernels) {
        INFO(kernel.name);
        std::vector<std::uint64_t> states;
        std::vector<std::uint64_t> expected;
        for (std::size_t size = 0; size <= 1100; ++size) {
            states.push_back(state_for(kernel, random.next()));
            expected.push_back(
                bit_by_bit(states[size], kernel.poly, std::span(data.data() + size % 64, size)));
        }
        for_each_tier([&](const kernels::Table& table) {
            for (std::size_t size = 0; size <= 1100; ++size) {
                REQUIRE(kernel.run(table, states[size], data.data() + size % 64, size) ==
                        expected[size]);
            }
        });
    }
}

TEST_CASE("CRCs of long messages agree with those of the portable code") {
    const auto data = random_bytes((std::size_t{4} << 20) + 5000, 2);
    Random random(5);
    std::vector<std::size_t> sizes = {(std::size_t{2} << 20) + 65, (std::size_t{4} << 20) - 1};
    // Around powers of two, the step of the sparse form and the blocks of the fused one.
    for (std::size_t power = 1024; power <= std::size_t{1} << 20; power *= 2) {
        for (const int off : {-65, -64, -1, 0, 1, 63, 65}) {
            sizes.push_back(power + static_cast<std::size_t>(off));
        }
    }
    for (const std::size_t step : {640u, 7552u, 10496u, 12032u, 31232u, 60416u, 83968u, 96256u}) {
        for (const std::size_t times : {1u, 3u, 10u}) {
            for (const int off : {-1, 0, 1, 65}) {
                sizes.push_back(step * times + static_cast<std::size_t>(off));
            }
        }
    }
    for (const Kernel& kernel : kKernels) {
        INFO(kernel.name);
        std::vector<std::uint64_t> states;
        std::vector<std::size_t> offsets;
        std::vector<std::uint64_t> expected;
        isa::force("scalar");
        for (const std::size_t size : sizes) {
            states.push_back(state_for(kernel, random.next()));
            offsets.push_back(random.below(64));
            expected.push_back(
                kernel.run(kernels::active(), states.back(), data.data() + offsets.back(), size));
        }
        for_each_tier([&](const kernels::Table& table) {
            for (std::size_t i = 0; i < sizes.size(); ++i) {
                INFO("size ", sizes[i]);
                REQUIRE(kernel.run(table, states[i], data.data() + offsets[i], sizes[i]) ==
                        expected[i]);
            }
        });
    }
    // The portable code itself, against bits, once at such a length.
    isa::force("scalar");
    const std::span part(data.data(), 20'000);
    REQUIRE(kernels::active().crc32(9, part.data(), part.size()) == bit_by_bit(9, kPoly32, part));
    REQUIRE(kernels::active().crc32c(9, part.data(), part.size()) == bit_by_bit(9, kPoly32C, part));
    REQUIRE(kernels::active().crc64nvme(9, part.data(), part.size()) ==
            bit_by_bit(9, kPoly64, part));
    isa::force(isa::available().back());
}

TEST_CASE("CRCs of parts, one after the other, are those of the whole") {
    const auto data = random_bytes(300'000, 3);
    Random random(6);
    for_each_tier([&](const kernels::Table& table) {
        for (const Kernel& kernel : kKernels) {
            for (int i = 0; i < 20; ++i) {
                const std::size_t size = random.below(data.size());
                const std::size_t cut = random.below(size + 1);
                const std::uint64_t state = state_for(kernel, random.next());
                const std::uint64_t first = kernel.run(table, state, data.data(), cut);
                REQUIRE(kernel.run(table, first, data.data() + cut, size - cut) ==
                        kernel.run(table, state, data.data(), size));
            }
        }
    });
}

TEST_CASE("CRCs stay inside their buffers") {
    const GuardedPage page;
    const GuardedPage pages(100);
    for_each_tier([&](const kernels::Table& table) {
        for (const Kernel& kernel : kKernels) {
            for (std::size_t size = 0; size <= 1100; ++size) {
                REQUIRE(kernel.run(table, 1, page.last(size), size) ==
                        kernel.run(table, 1, page.first(), size));
            }
            for (const std::size_t size : {33'000u, 84'001u, 100'003u, 200'000u, 409'600u}) {
                REQUIRE(kernel.run(table, 1, pages.last(size), size) ==
                        kernel.run(table, 1, pages.first(), size));
            }
        }
    });
}

TEST_CASE("products of residues agree with long multiplication") {
    const auto long_product = [](std::uint64_t a, std::uint64_t b, std::uint64_t poly,
                                 unsigned bits) {
        // Horner's rule from the highest coefficient, which is bit 0 of the register.
        std::uint64_t product = 0;
        for (unsigned bit = 0; bit < bits; ++bit) {
            product = (product >> 1) ^ ((product & 1) != 0 ? poly : 0);
            if (((a >> bit) & 1) != 0) product ^= b;
        }
        return product;
    };
    Random random(2);
    for_each_tier([&](const kernels::Table& kernels) {
        for (int i = 0; i < 1000; ++i) {
            const std::uint64_t a = random.next();
            const std::uint64_t b = random.next();
            const auto a32 = static_cast<std::uint32_t>(a);
            const auto b32 = static_cast<std::uint32_t>(b);
            REQUIRE(kernels.crc64nvme_multiply(a, b) == long_product(a, b, kPoly64, 64));
            REQUIRE(kernels.crc32_multiply(a32, b32) == long_product(a32, b32, kPoly32, 32));
            REQUIRE(kernels.crc32c_multiply(a32, b32) == long_product(a32, b32, kPoly32C, 32));
        }
    });
}

TEST_CASE("the linear register skips zeros and follows a change") {
    Random random(3);
    for_each_tier([&](const kernels::Table&) {
        for (int i = 0; i < 50; ++i) {
            const std::size_t size = 1 + random.below(200'000);
            const auto before = random_bytes(size, random.next());
            auto after = before;
            const std::size_t at = random.below(size);
            const std::size_t count = random.below(size - at) % 300;
            std::vector<std::uint8_t> change(count);
            for (std::size_t k = 0; k < count; ++k) {
                change[k] = static_cast<std::uint8_t>(random.next());
                after[at + k] ^= change[k];
            }
            checksum::LinearCrc64Nvme crc;
            crc.skip_zeros(at);
            crc.update(as_bytes(change));
            crc.skip_zeros(size - at - count);
            REQUIRE((checksum::crc64nvme(as_bytes(before)) ^ crc.value()) ==
                    checksum::crc64nvme(as_bytes(after)));
        }
        // Beyond any buffer: 2^40 + 3 zeros in two steps are the same as in one.
        const std::uint64_t once = checksum::crc64nvme_of_zeros((std::uint64_t{1} << 40) + 3);
        const std::uint64_t twice =
            checksum::crc64nvme_combine(checksum::crc64nvme_of_zeros(std::uint64_t{1} << 40),
                                        checksum::crc64nvme_of_zeros(3), 3);
        REQUIRE(once == twice);
    });
}
