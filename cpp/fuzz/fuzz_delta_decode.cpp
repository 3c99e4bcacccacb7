// The delta decoder with hostile bytes: whatever they are, it throws or applies them, and leaves
// the state as it was when it throws. Deltas that it made itself, with some bytes changed, get
// further into it than others.
#include <vector>

#include "dwcp/delta/delta.hpp"
#include "dwcp/error.hpp"
#include "input.hpp"

using namespace dwcp;
using namespace dwcp::fuzzing;

namespace {

std::vector<std::byte> to_bytes(std::span<const std::uint8_t> bytes) {
    const auto view = std::as_bytes(bytes);
    return {view.begin(), view.end()};
}

void apply_safely(std::span<const std::byte> delta, const std::vector<std::byte>& previous) {
    std::vector<std::byte> state = previous;
    try {
        delta::apply(delta, state);
    } catch (const Error&) {
        if (state != previous) std::abort();
    }
    try {
        static_cast<void>(delta::inspect(delta));
    } catch (const Error&) {
        return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const std::size_t at = static_cast<std::size_t>(input.number());
    const auto change = static_cast<std::byte>(input.number());
    const std::vector<std::byte> previous = to_bytes(input.rest());
    apply_safely(previous, std::vector<std::byte>(200));

    std::vector<std::byte> current = previous;
    for (std::size_t i = at % 97; i < current.size(); i += 97) current[i] ^= std::byte{0x5A};
    std::vector<std::byte> encoded = delta::encode(current, previous);
    std::vector<std::byte> state = previous;
    delta::apply(encoded, state);
    if (state != current) std::abort();
    encoded[at % encoded.size()] ^= change;
    apply_safely(encoded, previous);
    return 0;
}
