// Adler-32 (RFC 1950) and Fletcher-32 (J. Fletcher, "An Arithmetic Checksum for Serial
// Transmissions", 1982).

// The largest counts of bytes or words whose sums of sums stay below 2^32.
constexpr std::size_t kAdlerBlock = 5552;
constexpr std::size_t kFletcherBlock = 359;

std::uint32_t adler32(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    std::uint32_t a = state & 0xFFFF;
    std::uint32_t b = state >> 16;
    while (size > 0) {
        const std::size_t count = size < kAdlerBlock ? size : kAdlerBlock;
        for (std::size_t i = 0; i < count; ++i) {
            a += data[i];
            b += a;
        }
        a %= 65521;
        b %= 65521;
        data += count;
        size -= count;
    }
    return b << 16 | a;
}

std::uint32_t fletcher32(std::uint32_t state, const std::uint8_t* data, std::size_t size) {
    std::uint32_t a = state & 0xFFFF;
    std::uint32_t b = state >> 16;
    while (size > 0) {
        const std::size_t count = size / 2 < kFletcherBlock ? size / 2 : kFletcherBlock;
        for (std::size_t i = 0; i < count; ++i) {
            a += static_cast<std::uint32_t>(data[2 * i] | data[2 * i + 1] << 8);
            b += a;
        }
        data += 2 * count;
        size -= 2 * count;
        if (size == 1) {
            a += data[0];
            b += a;
            size = 0;
        }
        a %= 65535;
        b %= 65535;
    }
    return b << 16 | a;
}
