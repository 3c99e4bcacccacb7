// What this processor, or the emulated one, gets. Run by ci/matrix and ci/arm64.
//
//   dwcp_probe                 prints the active instruction set
//   dwcp_probe --wrongly TIER  runs all kernels of TIER even if the processor does not have it,
//                              as a mistaken dispatch would
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dwcp/isa/isa.hpp"
#include "kernels/dispatch.hpp"

namespace {

// Every kernel is called, with arguments made from the types and places of its parameters: so a new
// one needs nothing here unless it brings a new type. Numbers may count bytes or lines, and ascend
// from one parameter to the next, because two of them may be the ends of a range.
constexpr std::size_t kStep = 1000;
constexpr std::size_t kParametersMax = 8;
constexpr std::size_t kNumberMax = kStep * kParametersMax;
using Buffer = std::array<std::uint8_t, kNumberMax * dwcp::kernels::kLineBytes>;

alignas(64) Buffer input;
alignas(64) Buffer output;
std::array<std::uint64_t, kNumberMax> words;
std::array<std::uint32_t, kNumberMax> short_words;
const std::array<std::int64_t, kNumberMax> rows{};
const std::array<std::int32_t, kNumberMax> narrow_rows{};
XXH3_state_t xxh3_state;

template <typename Argument, std::size_t kPlace>
Argument make() {
    if constexpr (std::is_same_v<Argument, const std::uint8_t*>) {
        return input.data();
    } else if constexpr (std::is_same_v<Argument, std::uint8_t*>) {
        return output.data();
    } else if constexpr (std::is_same_v<Argument, std::uint64_t*>) {
        return words.data();
    } else if constexpr (std::is_same_v<Argument, std::uint32_t*>) {
        return short_words.data();
    } else if constexpr (std::is_same_v<Argument, const std::int64_t*>) {
        return rows.data();
    } else if constexpr (std::is_same_v<Argument, const std::int32_t*>) {
        return narrow_rows.data();
    } else if constexpr (std::is_same_v<Argument, void*>) {
        XXH3_64bits_reset(&xxh3_state);
        return &xxh3_state;
    } else {
        static_assert(std::is_integral_v<Argument>, "say here what a kernel is given");
        static_assert(kPlace < kParametersMax);
        return static_cast<Argument>(kStep * (kPlace + 1));
    }
}

template <typename Result, typename... Arguments, std::size_t... kPlaces>
void call_with(Result (*kernel)(Arguments...), std::index_sequence<kPlaces...>) {
    static_cast<void>(kernel(make<Arguments, kPlaces>()...));
}

template <typename Result, typename... Arguments>
void call(Result (*kernel)(Arguments...)) {
    call_with(kernel, std::index_sequence_for<Arguments...>{});
}

void run(const dwcp::kernels::Table& table) {
    input[100] = 1;
#define DWCP_PROBE_KERNEL(name, result, parameters, arguments) call(table.name);
    DWCP_KERNELS(DWCP_PROBE_KERNEL)
#undef DWCP_PROBE_KERNEL
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
