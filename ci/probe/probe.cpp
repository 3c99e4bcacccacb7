// What this processor, or the emulated one, gets. Built and run by ci/matrix.
//
//   dwcp_probe                 prints the active instruction set
//   dwcp_probe --wrongly TIER  runs the kernels of TIER even if the processor does not have it,
//                              as a mistaken dispatch would
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string_view>

#include "dwcp/isa/isa.hpp"
#include "kernels/dispatch.hpp"

namespace {

constexpr std::size_t kSizeBytes = 64 * dwcp::kernels::kLineBytes;

alignas(64) std::array<std::uint8_t, kSizeBytes> first;
alignas(64) std::array<std::uint8_t, kSizeBytes> second;
alignas(64) std::array<std::uint8_t, kSizeBytes> out;
std::array<std::uint64_t, kSizeBytes / dwcp::kernels::kLineBytes> masks;

void run(const dwcp::kernels::Table& table) {
    second[100] = 1;
    table.xor_bytes(out.data(), first.data(), second.data(), kSizeBytes);
    table.scan(first.data(), second.data(), masks.size(), masks.data(), out.data());
    table.nonzero_masks(out.data(), masks.size(), masks.data());
    std::printf("%u %llu\n", table.crc32c(0, second.data(), kSizeBytes),
                static_cast<unsigned long long>(table.crc64nvme(0, second.data(), kSizeBytes)));
}

int run_wrongly(std::string_view name) {
    for (std::size_t i = 0; i < dwcp::kernels::kTierCount; ++i) {
        if (name != dwcp::kernels::tier(i).name) continue;
        run(*dwcp::kernels::tier(i).table);
        return 0;
    }
    std::fprintf(stderr, "dwcp_probe: no such instruction set in this build\n");
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--wrongly") return run_wrongly(argv[2]);
    if (argc != 1) return 2;
    try {
        dwcp::isa::apply_environment();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dwcp_probe: %s\n", error.what());
        return 1;
    }
    std::printf("%s\n", dwcp::isa::active().c_str());
    return 0;
}
