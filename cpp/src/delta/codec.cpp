#include "delta/codec.hpp"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>

#include "dwcp/error.hpp"

namespace dwcp::delta {

namespace {

void check_level(Codec codec, int level) {
    int low = 0;
    int high = 0;
    const char* name = "none";
    switch (codec) {
        case Codec::kNone:
            break;
        case Codec::kLz4:
            // lz4's own scale: larger is faster.
            low = 1;
            high = 65537;
            name = "lz4";
            break;
        case Codec::kZstd:
            low = ZSTD_minCLevel();
            high = ZSTD_maxCLevel();
            name = "zstd";
            break;
        default:
            throw std::invalid_argument("codec must be none, lz4 or zstd");
    }
    if (level != 0 && (level < low || level > high)) {
        throw std::invalid_argument("level of codec " + std::string(name) + " must be from " +
                                    std::to_string(low) + " to " + std::to_string(high) + ", not " +
                                    std::to_string(level));
    }
}

const char* to_chars(const std::byte* p) {
    return reinterpret_cast<const char*>(p);
}
char* to_chars(std::byte* p) {
    return reinterpret_cast<char*>(p);
}

}  // namespace

Compressor::Compressor(Codec codec, int level) : codec_(codec), level_(level == 0 ? 1 : level) {
    check_level(codec, level);
    if (codec == Codec::kZstd) {
        zstd_ = ZSTD_createCCtx();
        if (zstd_ == nullptr) throw std::bad_alloc();
    }
}

Compressor::~Compressor() {
    ZSTD_freeCCtx(zstd_);
}

std::span<const std::byte> Compressor::compress(std::span<const std::byte> input,
                                                std::size_t size_limit) {
    if (codec_ == Codec::kNone || size_limit == 0) return {};
    // A destination that is too small is the codecs' own way to stop early.
    if (scratch_.size() < size_limit) scratch_.resize(size_limit);
    std::size_t size = 0;
    if (codec_ == Codec::kLz4) {
        size = static_cast<std::size_t>(LZ4_compress_fast(
            to_chars(input.data()), to_chars(scratch_.data()), static_cast<int>(input.size()),
            static_cast<int>(size_limit), level_));
    } else {
        size = ZSTD_compressCCtx(zstd_, scratch_.data(), size_limit, input.data(), input.size(),
                                 level_);
        if (ZSTD_isError(size) != 0) size = 0;
    }
    if (size == 0 || size >= size_limit) return {};
    return {scratch_.data(), size};
}

void decompress(Codec codec, std::span<const std::byte> input, std::span<std::byte> output) {
    bool whole = false;
    switch (codec) {
        case Codec::kNone:
            whole = input.size() == output.size();
            if (whole) std::copy(input.begin(), input.end(), output.begin());
            break;
        case Codec::kLz4:
            whole = LZ4_decompress_safe(to_chars(input.data()), to_chars(output.data()),
                                        static_cast<int>(input.size()),
                                        static_cast<int>(output.size())) ==
                    static_cast<int>(output.size());
            break;
        case Codec::kZstd:
            whole = ZSTD_decompress(output.data(), output.size(), input.data(), input.size()) ==
                    output.size();
            break;
    }
    if (!whole) throw CorruptDelta("a compressed stream does not decode to its stated length");
}

}  // namespace dwcp::delta
