// Encoder and decoder that keep a state and its digest, so that a step costs time proportional to
// one comparison (encoder) or to the change (decoder).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dwcp/delta/delta.hpp"
#include "dwcp/delta/dirty_tracker.hpp"
#include "dwcp/delta/part.hpp"

namespace dwcp::delta {

// Owns a copy of the last encoded state and brings it up to date in the pass that compares.
// Not thread-safe: one thread at a time.
class Encoder {
  public:
    // Copies the initial state. `length` is at least the end of the last part.
    Encoder(std::span<const Part> parts, std::uint64_t length, const Options& options = {});

    // The initial state is what the file holds. Throws SourceChanged, std::system_error.
    static Encoder from_file(int fd, const Options& options = {});

    Encoder(Encoder&&) noexcept;
    Encoder& operator=(Encoder&&) noexcept;
    ~Encoder();

    // Delta from the last encoded state to the one in `parts`, laid out as the initial one.
    // Throws std::invalid_argument when offsets or lengths differ from those.
    [[nodiscard]] Bytes encode(std::span<const Part> parts);

    // The same for the state in the memory of `tracker`, of which only what it has collected since
    // the last call is compared; all of it where that call did not ask the same tracker, or another
    // caller has asked it meanwhile.
    [[nodiscard]] Bytes encode(DirtyTracker& tracker);

    // The same with the state that the file holds, read with pread(2). Throws SourceChanged when
    // its length differs or it was modified meanwhile; the encoder is then as before the call.
    [[nodiscard]] Bytes encode_file(int fd);

    [[nodiscard]] std::uint64_t digest() const noexcept;
    [[nodiscard]] std::span<const std::byte> state() const noexcept;
    // Of the last delta: lines of 64 bytes that differ, and bytes that differ.
    [[nodiscard]] std::uint64_t changed_lines() const noexcept;
    [[nodiscard]] std::uint64_t changed_bytes() const noexcept;

  private:
    struct Impl;
    explicit Encoder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Applies deltas to a buffer of the caller whose digest it knows.
// Not thread-safe: one thread at a time, and nobody else writes to the buffer.
class Decoder {
  public:
    // Without `digest` the state is read in full to compute it.
    explicit Decoder(std::span<std::byte> state, std::optional<std::uint64_t> digest = {});

    // As dwcp::delta::apply.
    std::uint64_t apply(std::span<const std::byte> delta);

    [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }

    // Recomputes the digest in full: whether the state is what the decoder holds it for.
    [[nodiscard]] bool verify() const;

  private:
    std::span<std::byte> state_;
    std::uint64_t digest_;
};

}  // namespace dwcp::delta
