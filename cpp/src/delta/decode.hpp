// A delta whose records have been read, decompressed and checked, ready to be applied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "delta/segments.hpp"
#include "delta/wire.hpp"

namespace dwcp::delta {

class DecodedDelta {
  public:
    // Throws CorruptDelta or Unsupported.
    explicit DecodedDelta(std::span<const std::byte> delta);

    [[nodiscard]] const Header& header() const noexcept { return header_; }

    // Throws WrongBase unless `state` has the length and the digest that the delta is for, and
    // CorruptDelta unless applying it would give the digest that it names.
    void verify(std::span<const std::byte> state, std::uint64_t base_digest) const;

    // Writes all segments. Only after verify() with the same state.
    void write(std::span<std::byte> state) const;

    // Calls visit(record, offset, values) for each segment, as for_each_segment does.
    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (const Decoded& decoded : records_) {
            for_each_segment(decoded.record, decoded.index, decoded.values,
                             [&](std::uint64_t offset, std::span<const std::byte> values) {
                                 visit(decoded.record, offset, values);
                             });
        }
    }

  private:
    struct Decoded {
        Record record;
        std::span<const std::byte> index;
        std::span<const std::byte> values;
    };

    std::span<const std::byte> decoded_stream(const Stream& stream);

    Header header_;
    std::vector<Decoded> records_;
    std::vector<Bytes> decompressed_;
};

// Applies a delta of this process's own making to the state that it was made from.
void apply_verified(std::span<const std::byte> delta, std::span<std::byte> state);

}  // namespace dwcp::delta
