// Content-defined chunks on all instruction sets, against the rules of docs/chunks.md one byte
// after the other.
#include "dwcp/checksum/chunks.hpp"

#include "dwcp/isa/isa.hpp"
#include "fuzz.hpp"
#include "kernels/gear.hpp"

using namespace dwcp;
using namespace dwcp::fuzzing;
using checksum::Chunk;
using checksum::ChunkSizes;

namespace {

DWCP_NO_COVERAGE std::vector<Chunk> by_definition(std::span<const std::uint8_t> data,
                                                  const ChunkSizes& sizes) {
    const std::uint64_t strict = (std::uint64_t{1} << 32) / (4 * sizes.avg);
    const std::uint64_t loose = (std::uint64_t{4} << 32) / sizes.avg;
    std::vector<Chunk> found;
    std::uint32_t hash = 0;
    std::uint64_t start = 0;
    for (std::uint64_t at = 0; at < data.size(); ++at) {
        hash = 2 * hash + kernels::gear_table.values[data[at]];
        const std::uint64_t length = at + 1 - start;
        const bool boundary = length >= sizes.min && hash < (length < sizes.avg ? strict : loose);
        if (!boundary && length != sizes.max && at + 1 != data.size()) continue;
        found.push_back({start, length});
        start = at + 1;
    }
    return found;
}

struct Hits {
    std::vector<std::uint32_t> offsets;
    std::vector<std::uint32_t> hashes;
    friend bool operator==(const Hits&, const Hits&) = default;
};

DWCP_NO_COVERAGE Hits hits_by_definition(std::span<const std::uint8_t> data, std::size_t first,
                                         std::uint32_t threshold) {
    Hits hits;
    std::uint32_t hash = 0;
    for (std::size_t at = 0; at < data.size(); ++at) {
        hash = 2 * hash + kernels::gear_table.values[data[at]];
        if (at < first || hash >= threshold) continue;
        hits.offsets.push_back(static_cast<std::uint32_t>(at - first));
        hits.hashes.push_back(hash);
    }
    return hits;
}

// The kernel at any position and with any threshold, where chunks() has its own of both.
void check_hits(const kernels::TierInfo& tier, std::span<const std::uint8_t> data,
                std::size_t first, std::uint32_t threshold, const Hits& expected) {
    Hits found;
    found.offsets.resize(data.size() - first);
    found.hashes.resize(data.size() - first);
    const std::size_t count = tier.table->gear_hits(data.data(), first, data.size(), threshold,
                                                    found.offsets.data(), found.hashes.data());
    expect(count <= found.offsets.size(), "gear_hits counts too many", tier.name);
    found.offsets.resize(count);
    found.hashes.resize(count);
    expect(found == expected, "gear_hits differ", tier.name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input_data, std::size_t input_size) {
    Input input(input_data, input_size);
    const std::size_t offset = input.take<std::uint8_t>() % 64;
    ChunkSizes sizes;
    sizes.min = ChunkSizes::kMinMin + input.take<std::uint8_t>();
    sizes.avg = sizes.min + input.take<std::uint16_t>() % 2048;
    sizes.max = sizes.avg + input.take<std::uint16_t>();
    const std::size_t first = kernels::kGearWindow + input.take<std::uint16_t>();
    const auto threshold = input.take<std::uint32_t>();
    const std::size_t longer = input.take<std::uint16_t>();
    const auto bytes = input.take_rest();
    // Beyond one block of positions at times.
    Shifted data(stretched(bytes, longer % 64 == 0 ? 2 * longer : bytes.size()), offset);
    const std::vector<Chunk> expected = by_definition(data.span(), sizes);
    const Hits hits = hits_by_definition(data.span(), first, threshold);
    for_each_tier([&](const kernels::TierInfo& tier) {
        isa::force(tier.name);
        std::vector<Chunk> found = checksum::chunks(std::as_bytes(data.span()), sizes);
        if (data.size() > first) check_hits(tier, data.span(), first, threshold, hits);
        if (planted(data.span(), tier)) found.pop_back();
        expect(found == expected, "chunks differ", tier.name);
    });
    return 0;
}
