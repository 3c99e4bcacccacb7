#include "support.hpp"

using namespace dwcp;
using namespace dwcp::testing;

namespace {

std::vector<std::uint8_t> reference(const std::uint8_t* a, const std::uint8_t* b,
                                    std::size_t size) {
    std::vector<std::uint8_t> out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
    return out;
}

}  // namespace

TEST_CASE("xor agrees with a byte loop at every length and alignment") {
    const auto a = random_bytes(700, 1);
    const auto b = random_bytes(700, 2);
    for_each_tier([&](const kernels::Table& kernels) {
        for (const auto kernel : {kernels.xor_bytes, kernels.xor_bytes_streaming}) {
            for (std::size_t size = 0; size <= 300; ++size) {
                for (std::size_t offset : {0u, 1u, 17u, 33u, 63u}) {
                    std::vector<std::uint8_t> out(700, 0xEE);
                    kernel(out.data() + offset, a.data() + offset / 2, b.data() + offset, size);
                    auto expected = std::vector<std::uint8_t>(700, 0xEE);
                    const auto middle = reference(a.data() + offset / 2, b.data() + offset, size);
                    std::copy(middle.begin(), middle.end(),
                              expected.begin() + static_cast<std::ptrdiff_t>(offset));
                    REQUIRE(out == expected);
                }
            }
        }
    });
}

TEST_CASE("xor may write over either input") {
    for_each_tier([&](const kernels::Table& kernels) {
        for (std::size_t size = 0; size <= 300; ++size) {
            auto a = random_bytes(size, 3);
            auto b = random_bytes(size, 4);
            const auto expected = reference(a.data(), b.data(), size);
            auto in_a = a;
            kernels.xor_bytes(in_a.data(), in_a.data(), b.data(), size);
            REQUIRE(in_a == expected);
            kernels.xor_bytes(b.data(), a.data(), b.data(), size);
            REQUIRE(b == expected);
        }
    });
}

TEST_CASE("xor stays inside its buffers") {
    const GuardedPage page;
    const auto other = random_bytes(page.size(), 5);
    for_each_tier([&](const kernels::Table& kernels) {
        for (const auto kernel : {kernels.xor_bytes, kernels.xor_bytes_streaming}) {
            for (std::size_t size = 0; size <= 300; ++size) {
                kernel(page.last(size), page.last(size), other.data(), size);
                kernel(page.first(), other.data(), page.first(), size);
            }
        }
    });
}
