// Second stage: lz4 and zstd behind one interface.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "dwcp/delta/delta.hpp"

struct ZSTD_CCtx_s;

namespace dwcp::delta {

// Keeps a codec's working memory from block to block. One thread at a time.
class Compressor {
  public:
    // Throws std::invalid_argument when the codec has no such level.
    Compressor(Codec codec, int level);
    ~Compressor();
    Compressor(const Compressor&) = delete;
    Compressor& operator=(const Compressor&) = delete;

    [[nodiscard]] Codec codec() const noexcept { return codec_; }

    // Compressed form of `input`, valid until the next call, or an empty span when it would not be
    // smaller than `size_limit` bytes.
    std::span<const std::byte> compress(std::span<const std::byte> input, std::size_t size_limit);

  private:
    Codec codec_;
    int level_;
    ZSTD_CCtx_s* zstd_ = nullptr;
    std::vector<std::byte> scratch_;
};

// Throws CorruptDelta unless `input` decompresses to exactly as many bytes as `output` has.
void decompress(Codec codec, std::span<const std::byte> input, std::span<std::byte> output);

}  // namespace dwcp::delta
