#include "dwcp/cache/cache.hpp"

#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "buffer.hpp"
#include "cache/parts.hpp"
#include "dwcp/cache/copy.hpp"
#include "topics.hpp"

namespace dwcp::bindings {

namespace {

void prefetch(nb::handle data, bool write, int locality) {
    if (locality < 0 || locality > 3) {
        throw std::invalid_argument("locality must be 0 to 3, but is " + std::to_string(locality));
    }
    const Buffer buffer(data, "data");
    cache::prefetch(buffer.bytes(), write ? cache::Access::kWrite : cache::Access::kRead,
                    static_cast<cache::Locality>(locality));
}

template <typename Number>
std::span<const Number> numbers_of(const Buffer& rows) {
    return {reinterpret_cast<const Number*>(rows.bytes().data()),
            rows.bytes().size() / sizeof(Number)};
}

void gather_rows(nb::handle table, std::size_t row_bytes, nb::handle rows, bool narrow,
                 nb::handle out, bool is_new) {
    const Buffer from(table, "table");
    const Buffer numbers(rows, "rows");
    const Buffer to(out, "out", true);
    const auto stores = is_new ? cache::Stores::kOrdinary : cache::Stores::kBySize;
    without_gil(to.bytes().size(), [&] {
        if (narrow) {
            cache::gather(from.bytes(), row_bytes, numbers_of<std::int32_t>(numbers),
                          to.writable_bytes(), stores);
        } else {
            cache::gather(from.bytes(), row_bytes, numbers_of<std::int64_t>(numbers),
                          to.writable_bytes(), stores);
        }
    });
}

// A buffer of one dimension whose items may lie apart.
class StridedBuffer {
  public:
    explicit StridedBuffer(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_STRIDES) != 0) throw nb::python_error();
    }
    StridedBuffer(const StridedBuffer&) = delete;
    StridedBuffer& operator=(const StridedBuffer&) = delete;
    ~StridedBuffer() { PyBuffer_Release(&view_); }

    [[nodiscard]] const std::byte* data() const { return static_cast<const std::byte*>(view_.buf); }
    [[nodiscard]] std::ptrdiff_t size() const { return view_.shape[0]; }
    [[nodiscard]] std::ptrdiff_t stride() const { return view_.strides[0]; }

  private:
    Py_buffer view_{};
};

// `firsts` are the first items of the pieces, each of which has `row_bytes`.
void gather_pieces(nb::handle firsts, std::size_t row_bytes, nb::handle out) {
    const StridedBuffer from(firsts);
    const Buffer to(out, "out", true);
    if (from.size() == 0) return;
    const std::ptrdiff_t way = (from.size() - 1) * from.stride();
    const std::span<const std::byte> all(from.data() + std::min<std::ptrdiff_t>(way, 0),
                                         static_cast<std::size_t>(std::abs(way)) + row_bytes);
    const auto start = static_cast<std::size_t>(from.data() - all.data());
    without_gil(to.bytes().size(), [&] {
        cache::gather_strided(all, start, from.stride(), row_bytes, to.writable_bytes());
    });
}

}  // namespace

void init_cache(nb::module_& module) {
    module.attr("LINE_BYTES") = cache::kLineBytes;
    module.attr("SEPARATION_BYTES") = cache::kSeparationBytes;
    module.def(
        "prefetch", &prefetch, nb::arg("data").none(), nb::kw_only(), nb::arg("write") = false,
        nb::arg("locality") = 3,
        nb::sig("def prefetch(data: dwcp.typing.BufferLike, *, write: bool = False, "
                "locality: int = 3) -> None"),
        "Ask the processor for the memory of a buffer, which it fetches meanwhile, or ignores.\n\n"
        "With write for writing to it. locality is how near to keep it: 3 in the first level, 0\n"
        "for what is used only once. May be called from any thread. Raises ValueError for another\n"
        "locality, TypeError or BufferError unless data is a C-contiguous buffer.");
    module.def(
        "nontemporal_bytes_min", &cache::nontemporal_bytes_min,
        "How much a call must read and write altogether, in bytes, to go past the caches by "
        "itself.\n\n"
        "copy() and gather() count twice their length, fill() its length. It is the size of the\n"
        "last-level cache as the system reports it, but from 1 MiB to 96 MiB. None where the\n"
        "instruction set in use has no such stores (scalar, neon): then all stores are ordinary\n"
        "ones. May be called from any thread.");
    module.def(
        "can_demote", &cache::can_demote,
        "Whether copy() can send what it read back out of the caches of the core.\n\n"
        "That takes a processor with CLDEMOTE (Intel's since Sapphire Rapids) and an instruction\n"
        "set in use with non-temporal stores. May be called from any thread.");
    module.def("gather_rows", &gather_rows, nb::arg("table").none(), nb::arg("row_bytes"),
               nb::arg("rows").none(), nb::arg("narrow"), nb::arg("out").none(), nb::arg("is_new"),
               nb::sig("def gather_rows(table: dwcp.typing.BufferLike, row_bytes: int, "
                       "rows: dwcp.typing.BufferLike, narrow: bool, "
                       "out: dwcp.typing.BufferLike, is_new: bool) -> None"),
               "What gather() does, for bytes.");
    module.def("gather_pieces", &gather_pieces, nb::arg("firsts").none(), nb::arg("row_bytes"),
               nb::arg("out").none(),
               nb::sig("def gather_pieces(firsts: dwcp.typing.BufferLike, row_bytes: int, "
                       "out: dwcp.typing.BufferLike) -> None"),
               "What gather_strided() does, for bytes.");
    cache_parts::add_copies(module);
    cache_parts::define_stream(module);
    cache_parts::make_counter_types(module);
}

}  // namespace dwcp::bindings
