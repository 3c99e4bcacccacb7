// Sends a change of one state to a copy of it, with a codec so that the system libraries are linked
// as well, and prints what was sent. Exits with 1 when the copy is not equal afterwards or has
// another checksum.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <dwcp/checksum/checksum.hpp>
#include <dwcp/delta/delta.hpp>
#include <dwcp/error.hpp>
#include <dwcp/isa/isa.hpp>

int main() {
    std::vector<std::byte> state(std::size_t{1} << 20);
    std::vector<std::byte> copy = state;
    for (std::size_t i = 5000; i < 9000; ++i) state[i] = std::byte{0x5a};

    dwcp::delta::Options options;
    options.codec = dwcp::delta::Codec::kZstd;
    const auto delta = dwcp::delta::encode(state, copy, options);
    dwcp::delta::apply(delta, copy);
    if (copy != state) return 1;
    dwcp::checksum::Checksum digest(dwcp::checksum::Algorithm::kXxh3_128);
    digest.update(copy);
    if (!verify(digest.algorithm(), state, digest.value())) return 1;

    try {
        dwcp::delta::apply(delta, copy);
        return 1;
    } catch (const dwcp::WrongBase&) {
        std::printf("isa=%s wire_bytes=%zu\n", dwcp::isa::active().c_str(), delta.size());
    }
    return 0;
}
