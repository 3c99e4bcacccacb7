#include "dwcp/delta/encoder.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "delta/block_encoder.hpp"
#include "delta/decode.hpp"
#include "delta/parts.hpp"
#include "dwcp/cache/cache.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/error.hpp"
#include "os/file.hpp"

namespace dwcp::delta {

struct Encoder::Impl {
    Impl(std::uint64_t length, const Options& given)
        : options(given), blocks(given), previous(static_cast<std::size_t>(length)) {}

    [[nodiscard]] std::size_t block_length(std::size_t at) const {
        return std::min(options.block_bytes, previous.bytes().size() - at);
    }

    // Completes the delta whose records are in `out`.
    [[nodiscard]] Bytes finish(Bytes out) {
        Header header;
        header.state_length = previous.bytes().size();
        header.base_digest = digest;
        header.result_digest = blocks.result_digest(digest, header.state_length);
        header.body_length = out.size() - kHeaderBytes;
        header.block_bytes = static_cast<std::uint32_t>(options.block_bytes);
        write_header(header, out);
        digest = header.result_digest;
        delta_bytes = out.size();
        return out;
    }

    // Room for a delta like the last one: growing step by step would copy it several times.
    [[nodiscard]] Bytes start() const {
        Bytes out;
        out.reserve(kHeaderBytes + delta_bytes + delta_bytes / 8);
        out.resize(kHeaderBytes);
        return out;
    }

    [[nodiscard]] Region everything() const { return {0, previous.bytes().size()}; }

    // Throws std::invalid_argument unless the parts are laid out as the initial ones.
    void check_layout(std::span<const Part> parts) const;
    // Delta to the state in `parts`, whose layout was checked, and which differs from the previous
    // one in `regions` at most: ascending, disjoint, not adjacent.
    [[nodiscard]] Bytes encode(std::span<const Part> parts, std::span<const Region> regions);

    Options options;
    BlockEncoder blocks;
    os::Pages previous;
    std::uint64_t digest = 0;
    std::size_t delta_bytes = 0;                                // length of the last delta
    std::vector<std::pair<std::uint64_t, std::size_t>> layout;  // offset and length of the parts
    std::vector<std::byte> scratch;                             // one block
    std::vector<PageRun> runs;                                  // of one block
    std::uint64_t tracked = 0;  // stamp of the tracker that knows what changed since the last delta
};

namespace {

// Copies the bytes of a state given by `parts`, of which `first` is the first that ends beyond
// `at`, into `out`.
void gather(std::span<const Part> parts, std::size_t first, std::uint64_t at,
            std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), std::byte{0});
    const std::uint64_t end = at + out.size();
    for (std::size_t i = first; i < parts.size() && parts[i].offset < end; ++i) {
        const std::uint64_t from = std::max(at, parts[i].offset);
        const std::uint64_t to = std::min(end, parts[i].offset + parts[i].bytes.size());
        if (to <= from) continue;
        std::memcpy(out.data() + (from - at), parts[i].bytes.data() + (from - parts[i].offset),
                    static_cast<std::size_t>(to - from));
    }
}

void read_block(int fd, std::uint64_t at, std::span<std::byte> block) {
    if (os::read_at(fd, block, at) != block.size()) {
        throw SourceChanged("the file was truncated while it was read, at byte " +
                            std::to_string(at));
    }
}

// The pages of a block of `length` bytes at `at` that `regions` touch, of which the first is the
// first that ends beyond `at`.
void find_pages(std::span<const Region> regions, std::uint64_t at, std::size_t length,
                std::vector<PageRun>& runs) {
    runs.clear();
    for (const Region& region : regions) {
        if (region.offset >= at + length) break;
        const std::uint64_t begin = std::max(region.offset, at) - at;
        const std::uint64_t end = std::min(region.offset + region.length, at + length) - at;
        const auto first = static_cast<std::size_t>(begin / kPageBytes);
        const auto last = static_cast<std::size_t>((end + kPageBytes - 1) / kPageBytes);
        if (!runs.empty() && runs.back().first + runs.back().count >= first) {
            runs.back().count = last - runs.back().first;
        } else {
            runs.push_back({first, last - first});
        }
    }
}

// Asks for the first line of each page that the next block is about while this one is encoded:
// where they lie far apart, the translation of their addresses and that line are what takes long.
// What comes behind a line the processor fetches by itself.
void fetch(std::span<const Region> regions, std::uint64_t from, const Part& part,
           std::span<const std::byte> state) {
    constexpr std::size_t kRegionsMax = 16;
    std::size_t fetched = 0;
    for (const Region& region : regions) {
        if (region.offset < from) continue;
        if (++fetched > kRegionsMax) return;
        const auto at = static_cast<std::size_t>(region.offset);
        cache::prefetch(part.bytes.subspan(at - static_cast<std::size_t>(part.offset), 1));
        cache::prefetch(state.subspan(at, 1));
    }
}

}  // namespace

void Encoder::Impl::check_layout(std::span<const Part> parts) const {
    const auto same = [](const Part& part, const std::pair<std::uint64_t, std::size_t>& place) {
        return part.offset == place.first && part.bytes.size() == place.second;
    };
    if (!std::equal(parts.begin(), parts.end(), layout.begin(), layout.end(), same)) {
        throw std::invalid_argument(
            "current: the parts of the state must have the lengths and offsets of the initial one");
    }
}

Bytes Encoder::Impl::encode(std::span<const Part> parts, std::span<const Region> regions) {
    const std::span<std::byte> state = previous.bytes();
    blocks.restart();
    Bytes out = start();
    std::size_t first = 0;
    for (std::size_t at = 0; at < state.size(); at += options.block_bytes) {
        const auto then = state.subspan(at, block_length(at));
        while (!regions.empty() && regions.front().offset + regions.front().length <= at) {
            regions = regions.subspan(1);
        }
        find_pages(regions, at, then.size(), runs);
        if (runs.empty()) {
            blocks.skip(then.size());
            continue;
        }
        if (parts.size() == 1) fetch(regions, at + then.size(), parts.front(), state);
        while (first < parts.size() && parts[first].offset + parts[first].bytes.size() <= at) {
            ++first;
        }
        // A block inside one part is read where it is; one with several parts is put together.
        const bool inside = first < parts.size() && parts[first].offset <= at &&
                            parts[first].offset + parts[first].bytes.size() >= at + then.size();
        std::span<const std::byte> now;
        if (inside) {
            now = parts[first].bytes.subspan(static_cast<std::size_t>(at - parts[first].offset),
                                             then.size());
        } else {
            scratch.resize(options.block_bytes);
            const auto block = std::span(scratch).first(then.size());
            gather(parts, first, at, block);
            now = block;
        }
        blocks.encode_update(now, then, runs, out);
    }
    return finish(std::move(out));
}

Encoder::Encoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;
Encoder::~Encoder() = default;

Encoder::Encoder(std::span<const Part> parts, std::uint64_t length, const Options& options)
    : impl_(std::make_unique<Impl>(length, options)) {
    check_parts(parts, length);
    const std::span<std::byte> state = impl_->previous.bytes();
    for (const Part& part : parts) {
        impl_->layout.emplace_back(part.offset, part.bytes.size());
        if (!part.bytes.empty()) {
            std::memcpy(state.data() + part.offset, part.bytes.data(), part.bytes.size());
        }
    }
    impl_->digest = checksum::crc64nvme(state);
}

Encoder Encoder::from_file(int fd, const Options& options) {
    const os::FileStamp before = os::file_stamp(fd);
    os::wait_until_past(before);
    os::wait_for_writes(fd, before.length);
    auto impl = std::make_unique<Impl>(before.length, options);
    const std::span<std::byte> state = impl->previous.bytes();
    for (std::size_t at = 0; at < state.size(); at += options.block_bytes) {
        const auto block = state.subspan(at, impl->block_length(at));
        read_block(fd, at, block);
        impl->digest = checksum::crc64nvme(block, impl->digest);
    }
    if (os::file_stamp(fd) != before) throw SourceChanged("the file changed while it was read");
    impl->layout.emplace_back(0, state.size());
    return Encoder(std::move(impl));
}

Bytes Encoder::encode(std::span<const Part> parts) {
    impl_->check_layout(parts);
    impl_->tracked = 0;
    const Region everything = impl_->everything();
    return impl_->encode(parts, {&everything, 1});
}

Bytes Encoder::encode(DirtyTracker& tracker) {
    impl_->check_layout(tracker.parts());
    // Until the delta is there, what the tracker tells is not known to be in it.
    const bool continues = std::exchange(impl_->tracked, 0) == tracker.stamp();
    std::vector<Region> written = tracker.collect();
    if (!continues) written = {impl_->everything()};
    Bytes delta = impl_->encode(tracker.parts(), written);
    impl_->tracked = tracker.stamp();
    return delta;
}

Bytes Encoder::encode_file(int fd) {
    const std::span<std::byte> state = impl_->previous.bytes();
    const os::FileStamp before = os::file_stamp(fd);
    if (before.length != state.size()) {
        throw SourceChanged("the file has " + std::to_string(before.length) +
                            " bytes, the state had " + std::to_string(state.size()));
    }
    os::wait_until_past(before);
    os::wait_for_writes(fd, before.length);
    impl_->blocks.restart();
    impl_->scratch.resize(impl_->options.block_bytes);
    impl_->tracked = 0;
    Bytes out = impl_->start();
    // Until the file is known to have stood still, the previous copy must stay what replicas hold:
    // it is brought up to date from the delta afterwards.
    for (std::size_t at = 0; at < state.size(); at += impl_->options.block_bytes) {
        const auto then = state.subspan(at, impl_->block_length(at));
        const auto now = std::span(impl_->scratch).first(then.size());
        read_block(fd, at, now);
        impl_->blocks.encode(now, then, out);
    }
    if (os::file_stamp(fd) != before) throw SourceChanged("the file changed while it was read");
    Bytes delta = impl_->finish(std::move(out));
    apply_verified(delta, state);
    return delta;
}

std::uint64_t Encoder::digest() const noexcept {
    return impl_->digest;
}
std::span<const std::byte> Encoder::state() const noexcept {
    return impl_->previous.bytes();
}
std::uint64_t Encoder::changed_lines() const noexcept {
    return impl_->blocks.changed_lines();
}
std::uint64_t Encoder::changed_bytes() const noexcept {
    return impl_->blocks.changed_bytes();
}

}  // namespace dwcp::delta
