// All checksum kernels of all instruction sets, against zlib, the libxxhash that is linked, and the
// definitions: any data, offset, state, and cuts into pieces.
#define ZLIB_CONST
#include <xxhash.h>
#include <zlib.h>

#include <array>
#include <iterator>
#include <memory>

#include "fuzz.hpp"

using namespace dwcp;
using namespace dwcp::fuzzing;

namespace {

using Bytes = std::span<const std::uint8_t>;

// One byte at a time, by a table that was made bit by bit.
template <std::uint64_t kPolynomial>
DWCP_NO_COVERAGE std::uint64_t crc_by_bytes(std::uint64_t state, Bytes data) {
    static const auto kTable = [] {
        std::array<std::uint64_t, 256> table{};
        for (std::uint64_t byte = 0; byte < table.size(); ++byte) {
            std::uint64_t value = byte;
            for (int i = 0; i < 8; ++i) {
                value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
            }
            table[byte] = value;
        }
        return table;
    }();
    for (const std::uint8_t byte : data) state = (state >> 8) ^ kTable[(state ^ byte) & 0xFF];
    return state;
}

// zlib takes and gives registers inverted.
std::uint64_t zlib_crc(std::uint64_t state, Bytes data) {
    // A null pointer asks zlib for the initial value.
    if (data.empty()) return state;
    return ~crc32_z(~state & 0xFFFFFFFFu, data.data(), data.size()) & 0xFFFFFFFFu;
}

std::uint64_t zlib_adler(std::uint64_t state, Bytes data) {
    if (data.empty()) return state;
    return adler32_z(state, data.data(), data.size());
}

DWCP_NO_COVERAGE std::uint64_t fletcher_by_words(std::uint64_t state, Bytes data) {
    std::uint64_t a = state & 0xFFFF;
    std::uint64_t b = state >> 16;
    for (std::size_t i = 0; i < data.size(); i += 2) {
        const unsigned high = i + 1 < data.size() ? data[i + 1] : 0;
        a = (a + (data[i] | high << 8)) % 65535;
        b = (b + a) % 65535;
    }
    return b << 16 | a;
}

std::uint64_t any_state(std::uint64_t bits) {
    return bits;
}
std::uint64_t state_of_32_bits(std::uint64_t bits) {
    return bits & 0xFFFFFFFFu;
}
template <std::uint64_t kModulus>
std::uint64_t two_residues(std::uint64_t bits) {
    return (bits >> 32) % kModulus << 16 | (bits & 0xFFFFFFFFu) % kModulus;
}

template <auto kMember>
std::uint64_t narrow(const kernels::Table& table, std::uint64_t state, Bytes data) {
    return (table.*kMember)(static_cast<std::uint32_t>(state), data.data(), data.size());
}
template <auto kMember>
std::uint64_t wide(const kernels::Table& table, std::uint64_t state, Bytes data) {
    return (table.*kMember)(state, data.data(), data.size());
}
template <std::size_t kHalf>
std::uint64_t half(const kernels::Table& table, std::uint64_t seed, Bytes data) {
    std::uint64_t low_high[2];
    table.xxh3_128(seed, data.data(), data.size(), low_high);
    return low_high[kHalf];
}

struct Kernel {
    const char* name;
    std::uint64_t (*run)(const kernels::Table&, std::uint64_t, Bytes);
    std::uint64_t (*reference)(std::uint64_t, Bytes);
    std::uint64_t (*state)(std::uint64_t bits);
    // Pieces are multiples of this many bytes; 0: the value is no state to go on from.
    std::size_t piece;
};

constexpr std::uint64_t kPoly32 = 0xEDB88320u;
constexpr std::uint64_t kPoly32C = 0x82F63B78u;
constexpr std::uint64_t kPoly64 = 0x9A6C9329AC4BC9B5u;
using T = kernels::Table;

constexpr Kernel kKernels[] = {
    {"crc32", narrow<&T::crc32>, zlib_crc, state_of_32_bits, 1},
    {"crc32_slow_multiply", narrow<&T::crc32_slow_multiply>, zlib_crc, state_of_32_bits, 1},
    {"crc32c", narrow<&T::crc32c>, crc_by_bytes<kPoly32C>, state_of_32_bits, 1},
    {"crc32c_slow_multiply", narrow<&T::crc32c_slow_multiply>, crc_by_bytes<kPoly32C>,
     state_of_32_bits, 1},
    {"crc64nvme", wide<&T::crc64nvme>, crc_by_bytes<kPoly64>, any_state, 1},
    {"adler32", narrow<&T::adler32>, zlib_adler, two_residues<65521>, 1},
    {"fletcher32", narrow<&T::fletcher32>, fletcher_by_words, two_residues<65535>, 2},
    {"xxh32", narrow<&T::xxh32>,
     [](std::uint64_t seed, Bytes data) -> std::uint64_t {
         return XXH32(data.data(), data.size(), static_cast<XXH32_hash_t>(seed));
     },
     state_of_32_bits, 0},
    {"xxh3_64", wide<&T::xxh3_64>,
     [](std::uint64_t seed, Bytes data) -> std::uint64_t {
         return XXH3_64bits_withSeed(data.data(), data.size(), seed);
     },
     any_state, 0},
    {"low half of xxh3_128", half<0>,
     [](std::uint64_t seed, Bytes data) -> std::uint64_t {
         return XXH3_128bits_withSeed(data.data(), data.size(), seed).low64;
     },
     any_state, 0},
    {"high half of xxh3_128", half<1>,
     [](std::uint64_t seed, Bytes data) -> std::uint64_t {
         return XXH3_128bits_withSeed(data.data(), data.size(), seed).high64;
     },
     any_state, 0},
};

// What an input says besides the data.
struct Context {
    std::uint64_t state_bits;
    std::size_t cut_bits;
};

void check_kernel(const Kernel& kernel, Bytes data, const Context& context) {
    const std::uint64_t state = kernel.state(context.state_bits);
    const std::uint64_t expected = kernel.reference(state, data);
    const std::size_t cut = context.cut_bits % (data.size() + 1);
    for_each_tier([&](const kernels::TierInfo& tier) {
        const std::uint64_t whole = kernel.run(*tier.table, state, data) ^ planted(data, tier);
        expect(whole == expected, kernel.name, tier.name);
        if (kernel.piece == 0) return;
        const std::size_t at = cut / kernel.piece * kernel.piece;
        const std::uint64_t first = kernel.run(*tier.table, state, data.first(at));
        expect(kernel.run(*tier.table, first, data.subspan(at)) == expected, kernel.name,
               tier.name);
    });
}

struct FreeState {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

void check_streams(const kernels::TierInfo& tier, Bytes data, std::uint64_t seed, std::size_t cut) {
    const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
    const auto update = [&](auto member) {
        (tier.table->*member)(state.get(), data.data(), cut);
        (tier.table->*member)(state.get(), data.data() + cut, data.size() - cut);
    };
    XXH3_64bits_reset_withSeed(state.get(), seed);
    update(&T::xxh3_64_update);
    expect(XXH3_64bits_digest(state.get()) == XXH3_64bits_withSeed(data.data(), data.size(), seed),
           "pieces of xxh3_64 differ from the whole", tier.name);
    XXH3_128bits_reset_withSeed(state.get(), seed);
    update(&T::xxh3_128_update);
    expect(XXH128_isEqual(XXH3_128bits_digest(state.get()),
                          XXH3_128bits_withSeed(data.data(), data.size(), seed)) != 0,
           "pieces of xxh3_128 differ from the whole", tier.name);
}

// Horner's rule from the highest coefficient, which is bit 0 of the register.
DWCP_NO_COVERAGE std::uint64_t long_product(std::uint64_t a, std::uint64_t b, std::uint64_t poly,
                                            unsigned bits) {
    std::uint64_t product = 0;
    for (unsigned bit = 0; bit < bits; ++bit) {
        product = (product >> 1) ^ ((product & 1) != 0 ? poly : 0);
        if (((a >> bit) & 1) != 0) product ^= b;
    }
    return product;
}

void check_products(const kernels::TierInfo& tier, std::uint64_t a, std::uint64_t b) {
    const auto a32 = static_cast<std::uint32_t>(a);
    const auto b32 = static_cast<std::uint32_t>(b);
    const T& table = *tier.table;
    expect(table.crc32_multiply(a32, b32) == long_product(a32, b32, kPoly32, 32),
           "crc32_multiply differs", tier.name);
    expect(table.crc32c_multiply(a32, b32) == long_product(a32, b32, kPoly32C, 32),
           "crc32c_multiply differs", tier.name);
    expect(table.crc64nvme_multiply(a, b) == long_product(a, b, kPoly64, 64),
           "crc64nvme_multiply differs", tier.name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size) {
    // Beyond every length at which a kernel changes its method, but for those of buffers that are
    // larger than caches, which the tests have.
    constexpr std::size_t kLongest = std::size_t{200} << 10;
    Input input(input_data, input_size);
    const std::size_t offset = input.take<std::uint8_t>() % 64;
    const std::uint64_t bits = input.take<std::uint64_t>();
    const std::uint64_t other_bits = input.take<std::uint64_t>();
    const std::uint32_t cut_bits = input.take<std::uint32_t>();
    const std::size_t choice = input.take<std::uint8_t>();
    const std::size_t longer = input.take<std::uint16_t>();
    const Bytes bytes = input.take_rest();
    const Context context{bits, cut_bits};
    // Long data take long: one in four inputs, and one kernel for each of them.
    if (choice % 4 == 3) {
        Shifted data(stretched(bytes, 4 * longer % kLongest), offset);
        check_kernel(kKernels[choice / 4 % std::size(kKernels)], data.span(), context);
        return 0;
    }
    Shifted data(bytes, offset);
    for (const Kernel& kernel : kKernels) check_kernel(kernel, data.span(), context);
    for_each_tier([&](const kernels::TierInfo& tier) {
        check_streams(tier, data.span(), bits, cut_bits % (data.size() + 1));
        check_products(tier, bits, other_bits);
    });
    return 0;
}
