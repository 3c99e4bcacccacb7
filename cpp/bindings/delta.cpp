#include "dwcp/delta/delta.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "arrays.hpp"
#include "buffer.hpp"
#include "options.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

delta::Options make_options(std::string_view codec, std::optional<int> level, std::string_view mode,
                            std::size_t block_size, std::optional<std::uint64_t> base_digest) {
    delta::Options options;
    if (codec == "lz4") {
        options.codec = delta::Codec::kLz4;
    } else if (codec == "zstd") {
        options.codec = delta::Codec::kZstd;
    } else if (codec != "none") {
        throw std::invalid_argument("codec must be 'none', 'lz4' or 'zstd', not '" +
                                    std::string(codec) + "'");
    }
    if (mode == "raw") {
        options.mode = delta::Mode::kRaw;
    } else if (mode == "lines-xor") {
        options.mode = delta::Mode::kLinesXor;
    } else if (mode == "lines-new") {
        options.mode = delta::Mode::kLinesNew;
    } else if (mode == "runs") {
        options.mode = delta::Mode::kRuns;
    } else if (mode != "auto") {
        throw std::invalid_argument(
            "mode must be 'auto', 'raw', 'lines-xor', 'lines-new' or 'runs', not '" +
            std::string(mode) + "'");
    }
    if (level && *level == 0) throw std::invalid_argument("level must not be 0");
    options.level = level.value_or(0);
    options.block_bytes = block_size;
    options.base_digest = base_digest;
    return options;
}

namespace {

nb::object decode(nb::handle delta_object, nb::handle previous_object, nb::handle out,
                  std::optional<std::uint64_t> base_digest) {
    const Buffer delta(delta_object, "delta");
    std::optional<Buffer> previous;
    std::optional<std::span<const std::byte>> previous_bytes;
    if (!previous_object.is_none()) {
        previous.emplace(previous_object, "previous");
        previous_bytes = previous->bytes();
    }
    const auto run = [&](std::span<std::byte> target) {
        nb::gil_scoped_release release;
        delta::decode(delta.bytes(), previous_bytes, target, base_digest);
    };
    if (!out.is_none()) {
        const Buffer target(out, "out", true);
        run(target.writable_bytes());
        return nb::borrow(out);
    }
    const std::uint64_t length = delta::state_length(delta.bytes());
    // Memory is taken for as much as the caller's own state has: the length in the delta is a
    // claim.
    if (previous_bytes && previous_bytes->size() != length) {
        run({});
    }
    nb::bytes result = new_bytes(length);
    run(contents(result));
    return nb::object(std::move(result));
}

}  // namespace

void init_delta(nb::module_& module) {
    using namespace nb::literals;

    module.def(
        "update",
        [](nb::handle previous, nb::handle current) {
            const Buffer then(previous, "previous", true);
            const Buffer now(current, "current");
            return without_gil(now.bytes().size(),
                               [&] { return delta::update(then.writable_bytes(), now.bytes()); });
        },
        nb::arg("previous"), nb::arg("current"),
        nb::sig("def update(previous: dwcp.typing.BufferLike, current: dwcp.typing.BufferLike) "
                "-> int"),
        "Make previous equal to current by writing only the lines of 64 bytes that differ.\n\n"
        "Returns how many lines did. previous is a writable buffer of the same length. The GIL is\n"
        "released for long buffers. Raises ValueError when the lengths differ.");
    module.def(
        "changed_regions",
        [](nb::handle current, nb::handle previous, std::uint64_t merge_gap) {
            const Buffer now(current, "current");
            const Buffer then(previous, "previous");
            auto regions = without_gil(now.bytes().size(), [&] {
                return delta::changed_regions(now.bytes(), then.bytes(), merge_gap);
            });
            return to_array<2>(std::move(regions));
        },
        nb::arg("current"), nb::arg("previous"), nb::arg("merge_gap") = 4,
        nb::sig("def changed_regions(current: dwcp.typing.BufferLike, "
                "previous: dwcp.typing.BufferLike, merge_gap: int = 4) "
                "-> numpy.typing.NDArray[numpy.uint64]"),
        "Ranges of bytes in which two buffers of equal length differ.\n\n"
        "Returns an array of shape (n, 2): offset and length in bytes, ascending, disjoint. "
        "Ranges\n"
        "with fewer than merge_gap equal bytes between them are one. The GIL is released for long\n"
        "buffers. Raises ValueError when the lengths differ.");
    module.def(
        "encode",
        [](nb::handle current, nb::handle previous, std::string_view codec,
           std::optional<int> level, std::string_view mode, std::size_t block_size,
           std::optional<std::uint64_t> base_digest) {
            const delta::Options options =
                make_options(codec, level, mode, block_size, base_digest);
            const Buffer now(current, "current");
            std::optional<Buffer> then;
            if (!previous.is_none()) then.emplace(previous, "previous");
            delta::Bytes result;
            {
                nb::gil_scoped_release release;
                result = then ? delta::encode(now.bytes(), then->bytes(), options)
                              : delta::encode_from_zeros(now.bytes(), options);
            }
            return to_bytes(result);
        },
        nb::arg("current"), nb::arg("previous") = nb::none(), nb::kw_only(), "codec"_a = "none",
        "level"_a = nb::none(), "mode"_a = "auto", "block_size"_a = delta::kBlockBytesDefault,
        "base_digest"_a = nb::none(),
        nb::sig("def encode(current: dwcp.typing.BufferLike, "
                "previous: dwcp.typing.BufferLike | None = None, *, codec: str = 'none', "
                "level: int | None = None, mode: str = 'auto', block_size: int = 1048576, "
                "base_digest: int | None = None) -> bytes"),
        "Delta that turns previous into current; previous=None is an all-zero state.\n\n"
        "codec is 'none', 'lz4' or 'zstd', level that codec's own scale. mode is 'auto' (whatever "
        "is\n"
        "smallest, block by block) or one of 'raw', 'lines-xor', 'lines-new', 'runs'. block_size "
        "is a\n"
        "power of two from 4096 to 16777216 bytes. base_digest is crc64nvme(previous) where it is\n"
        "known; without it previous is read once more. The GIL is released.\n"
        "Raises ValueError when the lengths differ or an option is out of bounds.\n"
        "The format is described in docs/format.md.");
    module.def(
        "apply",
        [](nb::handle delta_object, nb::handle state, std::optional<std::uint64_t> base_digest) {
            const Buffer delta(delta_object, "delta");
            const Buffer target(state, "state", true);
            nb::gil_scoped_release release;
            return delta::apply(delta.bytes(), target.writable_bytes(), base_digest);
        },
        nb::arg("delta"), nb::arg("state"), nb::kw_only(), "base_digest"_a = nb::none(),
        nb::sig("def apply(delta: dwcp.typing.BufferLike, state: dwcp.typing.BufferLike, *, "
                "base_digest: int | None = None) -> int"),
        "Apply a delta to a writable buffer in place and return the digest of the new state.\n\n"
        "Everything is verified before the first byte is written: the checksums of the delta, "
        "that\n"
        "state is the one that it was made for, and the digest of the result. base_digest is\n"
        "crc64nvme(state) where it is known; without it state is read in full. Memory beyond the\n"
        "arguments is at most twice the changed blocks. The GIL is released; nobody else may "
        "write\n"
        "to state meanwhile.\n"
        "Raises CorruptDelta, WrongBase, or Unsupported for a format version from the future; "
        "state\n"
        "is then as it was.");
    module.def("decode", &decode, nb::arg("delta"), nb::arg("previous") = nb::none(),
               nb::arg("out") = nb::none(), nb::kw_only(), "base_digest"_a = nb::none(),
               nb::sig("def decode(delta: dwcp.typing.BufferLike, "
                       "previous: dwcp.typing.BufferLike | None = None, "
                       "out: dwcp.typing.BufferLike | None = None, *, "
                       "base_digest: int | None = None) -> typing.Any"),
               "The state that a delta makes of previous (None: of zeros), as bytes or in out.\n\n"
               "out is a writable buffer, previous itself or one that does not overlap it; it is\n"
               "untouched unless all is verified. Without out and previous, as much memory is "
               "taken as the delta says.\n"
               "The GIL is released. Raises as apply does.");
    module.def(
        "inspect",
        [](nb::handle delta_object) {
            const Buffer delta(delta_object, "delta");
            nb::gil_scoped_release release;
            return delta::inspect(delta.bytes());
        },
        nb::arg("delta"), nb::sig("def inspect(delta: dwcp.typing.BufferLike) -> Inspection"),
        "What is in a delta. Raises CorruptDelta or Unsupported.");
    module.def(
        "regions",
        [](nb::handle delta_object, std::uint64_t merge_gap) {
            const Buffer delta(delta_object, "delta");
            std::vector<delta::Region> regions;
            {
                nb::gil_scoped_release release;
                regions = delta::regions(delta.bytes(), merge_gap);
            }
            return to_array<2>(std::move(regions));
        },
        nb::arg("delta"), nb::arg("merge_gap") = 0,
        nb::sig("def regions(delta: dwcp.typing.BufferLike, merge_gap: int = 0) "
                "-> numpy.typing.NDArray[numpy.uint64]"),
        "Ranges of bytes of the state that applying a delta may write.\n\n"
        "Returns an array of shape (n, 2): offset and length in bytes, ascending, disjoint. "
        "Ranges\n"
        "with at most merge_gap bytes between them are one. Raises CorruptDelta or Unsupported.");
    module.def(
        "compose",
        [](nb::handle deltas, nb::handle state, std::string_view codec, std::optional<int> level) {
            const delta::Options options =
                make_options(codec, level, "auto", delta::kBlockBytesDefault, std::nullopt);
            std::vector<Buffer> buffers;
            for (nb::handle item : nb::borrow<nb::iterable>(deltas))
                buffers.emplace_back(item, "deltas");
            std::vector<std::span<const std::byte>> spans;
            for (const Buffer& buffer : buffers) spans.push_back(buffer.bytes());
            const Buffer values(state, "state");
            delta::Bytes result;
            {
                nb::gil_scoped_release release;
                result = delta::compose(spans, values.bytes(), options);
            }
            return to_bytes(result);
        },
        nb::arg("deltas"), nb::arg("state"), nb::kw_only(), "codec"_a = "none",
        "level"_a = nb::none(),
        nb::sig("def compose(deltas: collections.abc.Sequence[dwcp.typing.BufferLike], "
                "state: dwcp.typing.BufferLike, *, codec: str = 'none', "
                "level: int | None = None) -> bytes"),
        "One delta with the effect of several that follow each other.\n\n"
        "state is what the last of them yields: values are taken from it, so that what was\n"
        "overwritten in between is not sent. The GIL is released; nobody may write to state.\n"
        "Raises WrongBase when the deltas do not follow each other or are for another length,\n"
        "ValueError when there are none, CorruptDelta or Unsupported.");

    nb::class_<delta::Inspection>(module, "Inspection", "What is in a delta.")
        .def_ro("version", &delta::Inspection::version, "Version of the format.")
        .def_ro("state_length_bytes", &delta::Inspection::state_length_bytes,
                "Length of the state.")
        .def_ro("base_digest", &delta::Inspection::base_digest,
                "CRC-64/NVME of the state that the delta applies to.")
        .def_ro("result_digest", &delta::Inspection::result_digest,
                "CRC-64/NVME of the state that it yields.")
        .def_ro("block_size_bytes", &delta::Inspection::block_size_bytes,
                "State covered by one record.")
        .def_ro("wire_bytes", &delta::Inspection::wire_bytes, "Length of the delta.")
        .def_ro("changed_blocks", &delta::Inspection::changed_blocks, "Number of records.")
        .def_ro("changed_bytes", &delta::Inspection::changed_bytes,
                "Bytes of the state that applying it writes.")
        .def_ro("modes", &delta::Inspection::modes, "Number of records by mode.")
        .def_ro("codecs", &delta::Inspection::codecs, "Number of streams by codec.")
        .def_prop_ro("ratio", &delta::Inspection::ratio,
                     "Length of the state for each byte of the delta.");
}

}  // namespace dwcp::bindings
