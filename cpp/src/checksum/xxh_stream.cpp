#include "bytes.hpp"
#include "checksum/stream.hpp"
#include "kernels/dispatch.hpp"

// Compiled in, as in the kernels: a state may only be used by the version of libxxhash that made
// it, and the shared library at run time can be another one.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dwcp::checksum {

namespace {

class Xxh32Stream final : public Checksum::Stream {
  public:
    void update(std::span<const std::byte> data) noexcept override {
        // Null and empty is an error there and no data here.
        if (!data.empty()) XXH32_update(&state_, data.data(), data.size());
    }
    void reset(std::uint64_t seed) noexcept override {
        XXH32_reset(&state_, static_cast<XXH32_hash_t>(seed));
    }
    [[nodiscard]] Hash128 value() const noexcept override { return {XXH32_digest(&state_), 0}; }
    [[nodiscard]] std::unique_ptr<Stream> clone() const override {
        return std::make_unique<Xxh32Stream>(*this);
    }

  private:
    XXH32_state_t state_{};
};

// The states of both widths are one type, and so are their updates but for the kernel.
template <auto kUpdate>
class Xxh3Stream : public Checksum::Stream {
  public:
    void update(std::span<const std::byte> data) noexcept override {
        if (!data.empty()) {
            (kernels::active().*kUpdate)(&state_, as_u8(data.data()), data.size());
        }
    }

  protected:
    XXH3_state_t state_{};
};

class Xxh3Stream64 final : public Xxh3Stream<&kernels::Table::xxh3_64_update> {
  public:
    void reset(std::uint64_t seed) noexcept override { XXH3_64bits_reset_withSeed(&state_, seed); }
    [[nodiscard]] Hash128 value() const noexcept override {
        return {XXH3_64bits_digest(&state_), 0};
    }
    [[nodiscard]] std::unique_ptr<Stream> clone() const override {
        return std::make_unique<Xxh3Stream64>(*this);
    }
};

class Xxh3Stream128 final : public Xxh3Stream<&kernels::Table::xxh3_128_update> {
  public:
    void reset(std::uint64_t seed) noexcept override { XXH3_128bits_reset_withSeed(&state_, seed); }
    [[nodiscard]] Hash128 value() const noexcept override {
        const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
        return {hash.low64, hash.high64};
    }
    [[nodiscard]] std::unique_ptr<Stream> clone() const override {
        return std::make_unique<Xxh3Stream128>(*this);
    }
};

}  // namespace

std::unique_ptr<Checksum::Stream> make_xxh_stream(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::kXxh32:
            return std::make_unique<Xxh32Stream>();
        case Algorithm::kXxh3_64:
            return std::make_unique<Xxh3Stream64>();
        case Algorithm::kXxh3_128:
            return std::make_unique<Xxh3Stream128>();
        default:
            return nullptr;
    }
}

}  // namespace dwcp::checksum
