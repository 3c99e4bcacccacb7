// The segments of a record: ranges of the state and the values that go there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "delta/runs.hpp"
#include "delta/wire.hpp"
#include "dwcp/error.hpp"

namespace dwcp::delta {

// Calls visit(offset, values) for each segment, ascending and disjoint within the block; `offset`
// counts from the start of the state. kFill records give one segment whose single value stands for
// the whole block. Throws CorruptDelta when the streams do not describe segments inside the block
// that use up exactly all values; segments before the bad one have been visited by then.
template <typename Visit>
void for_each_segment(const Record& record, std::span<const std::byte> index,
                      std::span<const std::byte> values, Visit&& visit) {
    std::size_t used = 0;
    const auto take = [&](std::uint64_t at, std::uint64_t length) {
        if (at > record.block_length || length > record.block_length - at ||
            length > values.size() - used) {
            throw CorruptDelta("a record writes beyond its block or its values");
        }
        const auto bytes = values.subspan(used, static_cast<std::size_t>(length));
        used += static_cast<std::size_t>(length);
        visit(record.block_offset + at, bytes);
    };
    switch (record.mode) {
        case RecordMode::kRaw:
            if (values.size() != record.block_length) {
                throw CorruptDelta("a raw record must hold its whole block");
            }
            take(0, record.block_length);
            break;
        case RecordMode::kFill:
            if (values.size() != 1) throw CorruptDelta("a fill record holds one byte");
            used = 1;
            visit(record.block_offset, values);
            break;
        case RecordMode::kLines: {
            Reader reader(index);
            std::uint64_t page = 0;
            const std::uint64_t pages = (record.block_length + kPageBytes - 1) / kPageBytes;
            while (!reader.at_end()) {
                const std::uint64_t gap = reader.varint();
                const std::uint64_t mask = reader.u64();
                if (gap >= pages - page || mask == 0) {
                    throw CorruptDelta("a lines record names a page outside its block");
                }
                page += gap;
                for_each_run(mask, [&](unsigned first, unsigned count) {
                    const std::uint64_t at = page * kPageBytes + first * kLineBytes;
                    if (at >= record.block_length) {
                        throw CorruptDelta("a lines record names a line outside its block");
                    }
                    // The last line of the state may be shorter; no line after it exists.
                    const std::uint64_t rest = record.block_length - at;
                    if (count * kLineBytes >= rest + kLineBytes) {
                        throw CorruptDelta("a lines record names a line outside its block");
                    }
                    take(at, std::min<std::uint64_t>(count * kLineBytes, rest));
                });
                ++page;
            }
            break;
        }
        case RecordMode::kRuns: {
            Reader reader(index);
            std::uint64_t at = 0;
            while (!reader.at_end()) {
                const std::uint64_t gap = reader.varint();
                const std::uint64_t length = reader.varint();
                if (gap > record.block_length - at || length == 0) {
                    throw CorruptDelta("a runs record names a run outside its block");
                }
                at += gap;
                take(at, length);
                at += length;
            }
            break;
        }
    }
    if (used != values.size()) throw CorruptDelta("a record holds more values than it uses");
}

}  // namespace dwcp::delta
