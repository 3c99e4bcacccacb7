#include "dwcp/cache/cache.hpp"

#include <stdexcept>

#include "buffer.hpp"
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

void gather_rows(nb::handle table, std::size_t row_bytes, nb::handle rows, nb::handle out) {
    const Buffer from(table, "table");
    const Buffer numbers(rows, "rows");
    const Buffer to(out, "out", true);
    const auto overlap = [&] {
        return from.bytes().data() < to.bytes().data() + to.bytes().size() &&
               to.bytes().data() < from.bytes().data() + from.bytes().size();
    };
    if (overlap()) throw std::invalid_argument("out must not overlap the table");
    const std::span<const std::int64_t> indices(
        reinterpret_cast<const std::int64_t*>(numbers.bytes().data()), numbers.bytes().size() / 8);
    without_gil(to.bytes().size(),
                [&] { cache::gather(from.bytes(), row_bytes, indices, to.writable_bytes()); });
}

}  // namespace

void init_cache(nb::module_& module) {
    module.def(
        "prefetch", &prefetch, nb::arg("data").none(), nb::kw_only(), nb::arg("write") = false,
        nb::arg("locality") = 3,
        nb::sig("def prefetch(data: dwcp.typing.BufferLike, *, write: bool = False, "
                "locality: int = 3) -> None"),
        "Ask the processor for the memory of a buffer, which it fetches meanwhile, or ignores.\n\n"
        "With write for writing to it. locality is how near to keep it: 3 in the first level, 0\n"
        "for what is used only once. May be called from any thread. Raises ValueError for another\n"
        "locality, TypeError or BufferError unless data is a C-contiguous buffer.");
    module.def("gather_rows", &gather_rows, nb::arg("table").none(), nb::arg("row_bytes"),
               nb::arg("rows").none(), nb::arg("out").none(),
               nb::sig("def gather_rows(table: dwcp.typing.BufferLike, row_bytes: int, "
                       "rows: dwcp.typing.BufferLike, out: dwcp.typing.BufferLike) -> None"),
               "What gather() does, for bytes.");
}

}  // namespace dwcp::bindings
