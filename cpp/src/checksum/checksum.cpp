#include "dwcp/checksum/checksum.hpp"

#include <limits>
#include <stdexcept>
#include <string>

#include "checksum/stream.hpp"
#include "dwcp/checksum/adler.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/checksum/fletcher.hpp"

namespace dwcp::checksum {

namespace {

struct Properties {
    std::string_view name;
    std::size_t digest_bytes;
    std::size_t block_bytes;
    std::uint64_t seed_max;
};

// In the order of Algorithm.
constexpr std::array<Properties, kAlgorithms.size()> kProperties = {{
    {"crc32", 4, 1, 0},
    {"crc32c", 4, 1, 0},
    {"crc64nvme", 8, 1, 0},
    {"adler32", 4, 1, 0},
    {"fletcher32", 4, 2, 0},
    {"xxh32", 4, 16, std::numeric_limits<std::uint32_t>::max()},
    {"xxh3_64", 8, 64, std::numeric_limits<std::uint64_t>::max()},
    {"xxh3_128", 16, 64, std::numeric_limits<std::uint64_t>::max()},
}};

const Properties& properties(Algorithm algorithm) noexcept {
    return kProperties[static_cast<std::size_t>(algorithm)];
}

// Checksums whose value is all that they remember.
template <auto kFunction, auto kInitial>
class ValueStream final : public Checksum::Stream {
  public:
    void update(std::span<const std::byte> data) noexcept override {
        value_ = kFunction(data, value_);
    }
    void reset(std::uint64_t /*seed*/) noexcept override { value_ = kInitial; }
    [[nodiscard]] Hash128 value() const noexcept override { return {value_, 0}; }
    [[nodiscard]] std::unique_ptr<Stream> clone() const override {
        return std::make_unique<ValueStream>(*this);
    }

  private:
    decltype(kFunction({}, kInitial)) value_ = kInitial;
};

// The first byte of a word waits for the second one.
class FletcherStream final : public Checksum::Stream {
  public:
    void update(std::span<const std::byte> data) noexcept override {
        if (data.empty()) return;
        if (waiting_) {
            const std::array<std::byte, 2> word = {first_, data.front()};
            value_ = fletcher32(word, value_);
            data = data.subspan(1);
        }
        const std::size_t whole = data.size() / 2 * 2;
        value_ = fletcher32(data.first(whole), value_);
        waiting_ = whole != data.size();
        if (waiting_) first_ = data.back();
    }
    void reset(std::uint64_t /*seed*/) noexcept override { *this = FletcherStream(); }
    [[nodiscard]] Hash128 value() const noexcept override {
        return {waiting_ ? fletcher32({&first_, 1}, value_) : value_, 0};
    }
    [[nodiscard]] std::unique_ptr<Stream> clone() const override {
        return std::make_unique<FletcherStream>(*this);
    }

  private:
    std::uint32_t value_ = 0;
    bool waiting_ = false;
    std::byte first_{};
};

std::unique_ptr<Checksum::Stream> make_stream(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::kCrc32:
            return std::make_unique<ValueStream<&crc32, std::uint32_t{0}>>();
        case Algorithm::kCrc32C:
            return std::make_unique<ValueStream<&crc32c, std::uint32_t{0}>>();
        case Algorithm::kCrc64Nvme:
            return std::make_unique<ValueStream<&crc64nvme, std::uint64_t{0}>>();
        case Algorithm::kAdler32:
            return std::make_unique<ValueStream<&adler32, std::uint32_t{1}>>();
        case Algorithm::kFletcher32:
            return std::make_unique<FletcherStream>();
        default:
            return make_xxh_stream(algorithm);
    }
}

}  // namespace

std::string_view name(Algorithm algorithm) noexcept {
    return properties(algorithm).name;
}

Algorithm parse(std::string_view name) {
    std::string choices;
    for (const Algorithm algorithm : kAlgorithms) {
        if (properties(algorithm).name == name) return algorithm;
        choices += (choices.empty() ? "" : ", ") + std::string(properties(algorithm).name);
    }
    throw std::invalid_argument("name must be one of " + choices + ", not '" + std::string(name) +
                                "'");
}

std::size_t digest_bytes(Algorithm algorithm) noexcept {
    return properties(algorithm).digest_bytes;
}

std::size_t block_bytes(Algorithm algorithm) noexcept {
    return properties(algorithm).block_bytes;
}

std::uint64_t seed_max(Algorithm algorithm) noexcept {
    return properties(algorithm).seed_max;
}

Hash128 compute(Algorithm algorithm, std::span<const std::byte> data) {
    switch (algorithm) {
        case Algorithm::kCrc32:
            return {crc32(data), 0};
        case Algorithm::kCrc32C:
            return {crc32c(data), 0};
        case Algorithm::kCrc64Nvme:
            return {crc64nvme(data), 0};
        case Algorithm::kAdler32:
            return {adler32(data), 0};
        case Algorithm::kFletcher32:
            return {fletcher32(data), 0};
        case Algorithm::kXxh32:
            return {xxh32(data), 0};
        case Algorithm::kXxh3_64:
            return {xxh3_64(data), 0};
        case Algorithm::kXxh3_128:
            break;
    }
    return xxh3_128(data);
}

bool verify(Algorithm algorithm, std::span<const std::byte> data, Hash128 expected) {
    return compute(algorithm, data) == expected;
}

Checksum::Checksum(Algorithm algorithm, std::uint64_t seed) : algorithm_(algorithm), seed_(seed) {
    const Properties& limits = properties(algorithm);
    if (seed > limits.seed_max) {
        throw std::invalid_argument("seed must be 0.." + std::to_string(limits.seed_max) + " for " +
                                    std::string(limits.name) + ", not " + std::to_string(seed));
    }
    stream_ = make_stream(algorithm);
    stream_->reset(seed);
}

Checksum::Checksum(const Checksum& other)
    : algorithm_(other.algorithm_), seed_(other.seed_), stream_(other.stream_->clone()) {}

Checksum& Checksum::operator=(const Checksum& other) {
    return *this = Checksum(other);
}

Checksum::Checksum(Checksum&&) noexcept = default;
Checksum& Checksum::operator=(Checksum&&) noexcept = default;
Checksum::~Checksum() = default;

void Checksum::update(std::span<const std::byte> data) noexcept {
    stream_->update(data);
}

void Checksum::reset() noexcept {
    stream_->reset(seed_);
}

Hash128 Checksum::value() const noexcept {
    return stream_->value();
}

std::vector<std::byte> Checksum::digest() const {
    const Hash128 hash = value();
    std::vector<std::byte> bytes(digest_bytes(algorithm_));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::size_t place = bytes.size() - 1 - i;  // of the byte, 0 the lowest
        const std::uint64_t half = place < 8 ? hash.low64 : hash.high64;
        bytes[i] = static_cast<std::byte>(half >> (place % 8 * 8));
    }
    return bytes;
}

}  // namespace dwcp::checksum
