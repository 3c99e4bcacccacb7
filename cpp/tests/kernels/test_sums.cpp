#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

// Element by element, reduced after each: the definitions of RFC 1950 and of Fletcher.
std::uint32_t adler_by_bytes(std::uint32_t state, std::span<const std::uint8_t> data) {
    std::uint32_t a = state & 0xFFFF;
    std::uint32_t b = state >> 16;
    for (const std::uint8_t byte : data) {
        a = (a + byte) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

std::uint32_t fletcher_by_words(std::uint32_t state, std::span<const std::uint8_t> data) {
    std::uint32_t a = state & 0xFFFF;
    std::uint32_t b = state >> 16;
    for (std::size_t i = 0; i < data.size(); i += 2) {
        const unsigned high = i + 1 < data.size() ? data[i + 1] : 0;
        a = (a + data[i] + (high << 8)) % 65535;
        b = (b + a) % 65535;
    }
    return b << 16 | a;
}

struct Kernel {
    const char* name;
    std::uint32_t (*const kernels::Table::*run)(std::uint32_t, const std::uint8_t*, std::size_t);
    std::uint32_t (*reference)(std::uint32_t, std::span<const std::uint8_t>);
    std::uint32_t modulus;
};

constexpr Kernel kKernels[] = {
    {"adler32", &kernels::Table::adler32, adler_by_bytes, 65521},
    {"fletcher32", &kernels::Table::fletcher32, fletcher_by_words, 65535},
};

// The halves of a state are residues: some at their bounds, others anywhere.
std::uint32_t state_for(const Kernel& kernel, std::uint64_t random) {
    const auto half = [&](std::uint64_t bits) {
        return static_cast<std::uint32_t>((bits & 3) == 0 ? kernel.modulus - 1
                                                          : (bits >> 2) % kernel.modulus);
    };
    return half(random >> 32) << 16 | half(random & 0xFFFFFFFF);
}

}  // namespace

TEST_CASE("sums agree with the definition at every length") {
    const auto data = random_bytes(1200, 11);
    for (const Kernel& kernel : kKernels) {
        INFO(kernel.name);
        for_each_tier([&](const kernels::Table& table) {
            Random random(12);
            for (std::size_t size = 0; size <= 1100; ++size) {
                const std::uint32_t state = state_for(kernel, random.next());
                const std::span part(data.data() + size % 65, size);
                REQUIRE((table.*kernel.run)(state, part.data(), size) ==
                        kernel.reference(state, part));
            }
        });
    }
}

TEST_CASE("sums do not overflow on long messages of the largest values") {
    std::vector<std::uint8_t> ones(std::size_t{4} << 20, 0xFF);
    auto mixed = ones;
    // Words whose top bit alternates, where half of the vectors are negative.
    for (std::size_t i = 1; i < mixed.size(); i += 4) mixed[i] = 0x7F;
    auto random_data = random_bytes(ones.size(), 13);
    for (const Kernel& kernel : kKernels) {
        INFO(kernel.name);
        for (const auto* data : {&ones, &mixed, &random_data}) {
            for (const std::size_t size :
                 {ones.size(), std::size_t{1'044'477}, std::size_t{262'143}, std::size_t{65'537},
                  std::size_t{40'960}}) {
                const std::size_t offset = size % 61;
                const std::span part(data->data() + offset, size - offset);
                const std::uint32_t state = (kernel.modulus - 1) << 16 | (kernel.modulus - 1);
                const std::uint32_t expected = kernel.reference(state, part);
                for_each_tier([&](const kernels::Table& table) {
                    REQUIRE((table.*kernel.run)(state, part.data(), part.size()) == expected);
                });
            }
        }
    }
}

TEST_CASE("sums do not overflow on short messages of the largest and smallest values") {
    // Where bytes are signed in a vector, or words are, zeros are the other extreme.
    const std::vector<std::uint8_t> ones(12'300, 0xFF);
    const std::vector<std::uint8_t> zeros(ones.size(), 0x00);
    for (const Kernel& kernel : kKernels) {
        INFO(kernel.name);
        const std::uint32_t state = (kernel.modulus - 1) << 16 | (kernel.modulus - 1);
        for (const auto* data : {&ones, &zeros}) {
            std::vector<std::span<const std::uint8_t>> parts;
            std::vector<std::uint32_t> expected;
            for (std::size_t size = 0; size <= 12'288; size += size < 1100 ? 1 : 61) {
                parts.emplace_back(data->data() + size % 3, size);
                expected.push_back(kernel.reference(state, parts.back()));
            }
            for_each_tier([&](const kernels::Table& table) {
                for (std::size_t i = 0; i < parts.size(); ++i) {
                    INFO("size ", parts[i].size());
                    REQUIRE((table.*kernel.run)(state, parts[i].data(), parts[i].size()) ==
                            expected[i]);
                }
            });
        }
    }
}

TEST_CASE("sums of parts, one after the other, are those of the whole") {
    const auto data = random_bytes(100'000, 14);
    for (const Kernel& kernel : kKernels) {
        INFO(kernel.name);
        for_each_tier([&](const kernels::Table& table) {
            Random random(15);
            for (int i = 0; i < 40; ++i) {
                const std::size_t size = random.below(data.size());
                // Fletcher-32 goes on after whole words only.
                const std::size_t cut = random.below(size + 1) & ~std::size_t{1};
                const std::uint32_t state = state_for(kernel, random.next());
                const std::uint32_t first = (table.*kernel.run)(state, data.data(), cut);
                REQUIRE((table.*kernel.run)(first, data.data() + cut, size - cut) ==
                        (table.*kernel.run)(state, data.data(), size));
            }
        });
    }
}

TEST_CASE("sums stay inside their buffers") {
    const GuardedPage page;
    const GuardedPage pages(40);
    for (const Kernel& kernel : kKernels) {
        INFO(kernel.name);
        for_each_tier([&](const kernels::Table& table) {
            for (std::size_t size = 0; size <= 1100; ++size) {
                REQUIRE((table.*kernel.run)(1, page.last(size), size) ==
                        (table.*kernel.run)(1, page.first(), size));
            }
            for (const std::size_t size : {40'001u, 100'003u, 163'840u}) {
                REQUIRE((table.*kernel.run)(1, pages.last(size), size) ==
                        (table.*kernel.run)(1, pages.first(), size));
            }
        });
    }
}
