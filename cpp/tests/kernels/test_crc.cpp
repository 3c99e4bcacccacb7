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
constexpr std::uint64_t kPoly32 = 0x82F63B78u;

}  // namespace

TEST_CASE("CRCs agree with a bit-at-a-time reference at every length") {
    const auto data = random_bytes(1200, 1);
    for_each_tier([&](const kernels::Table& kernels) {
        for (std::size_t size = 0; size <= 1100; ++size) {
            const std::size_t offset = size % 64;
            const std::span part(data.data() + offset, size);
            REQUIRE(kernels.crc64nvme(size, part.data(), size) == bit_by_bit(size, kPoly64, part));
            const auto state = static_cast<std::uint32_t>(size * 0x9E3779B9u);
            REQUIRE(kernels.crc32c(state, part.data(), size) == bit_by_bit(state, kPoly32, part));
        }
    });
}

TEST_CASE("CRCs stay inside their buffers") {
    const GuardedPage page;
    for_each_tier([&](const kernels::Table& kernels) {
        for (std::size_t size = 0; size <= 1100; ++size) {
            REQUIRE(kernels.crc64nvme(1, page.last(size), size) ==
                    kernels.crc64nvme(1, page.first(), size));
            REQUIRE(kernels.crc32c(1, page.last(size), size) ==
                    kernels.crc32c(1, page.first(), size));
        }
    });
}

TEST_CASE("the product of residues agrees with long multiplication") {
    Random random(2);
    for_each_tier([&](const kernels::Table& kernels) {
        for (int i = 0; i < 1000; ++i) {
            const std::uint64_t a = random.next();
            const std::uint64_t b = random.next();
            std::uint64_t product = 0;
            for (unsigned bit = 0; bit < 64; ++bit) {
                // Horner's rule from the highest coefficient, which is bit 0 of the register.
                product = (product >> 1) ^ ((product & 1) != 0 ? kPoly64 : 0);
                if (((a >> bit) & 1) != 0) product ^= b;
            }
            REQUIRE(kernels.crc64nvme_multiply(a, b) == product);
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
