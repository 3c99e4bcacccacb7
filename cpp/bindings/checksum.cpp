#include "buffer.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/checksum/xxh.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

void init_checksum(nb::module_& module) {
    module.def(
        "crc32c",
        [](nb::handle data, std::uint32_t value) {
            const Buffer buffer(data, "data");
            return without_gil(buffer.bytes().size(),
                               [&] { return checksum::crc32c(buffer.bytes(), value); });
        },
        nb::arg("data"), nb::arg("value") = 0,
        nb::sig("def crc32c(data: dwcp.typing.BufferLike, value: int = 0, /) -> int"),
        "CRC-32C (Castagnoli, RFC 3720) of data.\n\n"
        "value is the checksum of what came before: crc32c(b, crc32c(a)) == crc32c(a + b).\n"
        "The GIL is released for long data. Raises TypeError or BufferError unless data is a\n"
        "C-contiguous buffer.");
    module.def(
        "crc64nvme",
        [](nb::handle data, std::uint64_t value) {
            const Buffer buffer(data, "data");
            return without_gil(buffer.bytes().size(),
                               [&] { return checksum::crc64nvme(buffer.bytes(), value); });
        },
        nb::arg("data"), nb::arg("value") = 0,
        nb::sig("def crc64nvme(data: dwcp.typing.BufferLike, value: int = 0, /) -> int"),
        "CRC-64/NVME (NVM Express Base Specification, 64-bit guard) of data: the digest of\n"
        "states and deltas.\n\n"
        "value is the checksum of what came before. The GIL is released for long data.\n"
        "Raises TypeError or BufferError unless data is a C-contiguous buffer.");
    module.def("crc64nvme_combine", &checksum::crc64nvme_combine, nb::arg("crc1"), nb::arg("crc2"),
               nb::arg("length2"),
               nb::sig("def crc64nvme_combine(crc1: int, crc2: int, length2: int, /) -> int"),
               "CRC-64/NVME of A + B from the checksums of A and B and the length of B in bytes.");
    module.def(
        "xxh3_64",
        [](nb::handle data, std::uint64_t seed) {
            const Buffer buffer(data, "data");
            return without_gil(buffer.bytes().size(),
                               [&] { return checksum::xxh3_64(buffer.bytes(), seed); });
        },
        nb::arg("data"), nb::arg("seed") = 0,
        nb::sig("def xxh3_64(data: dwcp.typing.BufferLike, seed: int = 0) -> int"),
        "XXH3, 64 bits, of data (libxxhash).\n\n"
        "The GIL is released for long data. Raises TypeError or BufferError unless data is a\n"
        "C-contiguous buffer.");
}

}  // namespace dwcp::bindings
