#include <limits>

#include "dwcp/checksum/adler.hpp"
#include "dwcp/checksum/crc.hpp"
#include "dwcp/checksum/fletcher.hpp"
#include "dwcp/checksum/xxh.hpp"
#include "fastcall.hpp"
#include "integers.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

constexpr const char* kWithValue[] = {"data", "value"};
constexpr const char* kWithSeed[] = {"data", "seed"};

// How a one-shot function is seen from Python. `kMasked`: only the lower 32 bits of the second
// argument count, as in zlib.
struct Shape {
    fastcall::Parameters parameters;
    bool masked = false;
};

constexpr Shape kCrc32 = {{"crc32", kWithValue, 1}, true};
constexpr Shape kCrc32C = {{"crc32c", kWithValue, 1}};
constexpr Shape kCrc64Nvme = {{"crc64nvme", kWithValue, 1}};
constexpr Shape kAdler32 = {{"adler32", kWithValue, 1}, true};
constexpr Shape kFletcher32 = {{"fletcher32", kWithValue, 1}};
constexpr Shape kXxh32 = {{"xxh32", kWithSeed, 1}};
constexpr Shape kXxh3_64 = {{"xxh3_64", kWithSeed, 1}};
constexpr Shape kXxh3_128 = {{"xxh3_128", kWithSeed, 1}};

template <const Shape& kShape, typename Value>
bool to_value(PyObject* object, Value& value) noexcept {
    const char* const argument = kShape.parameters.names[1];
    if constexpr (kShape.masked) {
        return to_masked_u32(object, argument, value);
    } else {
        std::uint64_t wide = 0;
        const bool good = to_bounded(object, argument, std::numeric_limits<Value>::max(), wide);
        value = static_cast<Value>(wide);
        return good;
    }
}

template <const Shape& kShape, auto kFunction, auto kInitial>
PyObject* one_shot(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count,
                   PyObject* keywords) noexcept {
    PyObject* bound[2] = {nullptr, nullptr};
    if (keywords == nullptr && (count == 1 || count == 2)) {
        bound[0] = arguments[0];
        if (count == 2) bound[1] = arguments[1];
    } else if (!fastcall::bind(kShape.parameters, arguments, count, keywords, bound)) {
        return nullptr;
    }
    // Before the data, because __index__ can be Python code.
    auto value = kInitial;
    if (bound[1] != nullptr && !to_value<kShape>(bound[1], value)) return nullptr;
    fastcall::View data;
    if (!data.acquire(bound[0], "data")) return nullptr;
    return to_int(without_gil(data.size(), [&] { return kFunction(data.bytes(), value); }));
}

PyMethodDef one_shots[] = {
    fastcall::method("crc32", &one_shot<kCrc32, &checksum::crc32, std::uint32_t{0}>,
                     "crc32($module, /, data, value=0)\n--\n\n"
                     "CRC-32 (RFC 1952, that of zlib and gzip) of data: 0..2^32-1.\n\n"
                     "value is the checksum of what came before: crc32(b, crc32(a)) ==\n"
                     "crc32(a + b). Only its lower 32 bits count, as in zlib.crc32.\n"
                     "May be called from any thread; the GIL is released from 64 KiB on.\n"
                     "Raises TypeError or BufferError unless data is a C-contiguous buffer."),
    fastcall::method("crc32c", &one_shot<kCrc32C, &checksum::crc32c, std::uint32_t{0}>,
                     "crc32c($module, /, data, value=0)\n--\n\n"
                     "CRC-32C (Castagnoli, RFC 3720) of data: 0..2^32-1.\n\n"
                     "value is the checksum of what came before: crc32c(b, crc32c(a)) ==\n"
                     "crc32c(a + b). May be called from any thread; the GIL is released from\n"
                     "64 KiB on. Raises TypeError or BufferError unless data is a C-contiguous\n"
                     "buffer, ValueError when value is not 0..2^32-1."),
    fastcall::method("crc64nvme", &one_shot<kCrc64Nvme, &checksum::crc64nvme, std::uint64_t{0}>,
                     "crc64nvme($module, /, data, value=0)\n--\n\n"
                     "CRC-64/NVME (NVM Express NVM Command Set Specification, 64-bit guard) of\n"
                     "data, the digest of states and deltas: 0..2^64-1.\n\n"
                     "value is the checksum of what came before. May be called from any thread;\n"
                     "the GIL is released from 64 KiB on. Raises TypeError or BufferError unless\n"
                     "data is a C-contiguous buffer, ValueError when value is not 0..2^64-1."),
    fastcall::method("adler32", &one_shot<kAdler32, &checksum::adler32, std::uint32_t{1}>,
                     "adler32($module, /, data, value=1)\n--\n\n"
                     "Adler-32 (RFC 1950, that of zlib) of data: 0..2^32-1.\n\n"
                     "value is the checksum of what came before: adler32(b, adler32(a)) ==\n"
                     "adler32(a + b). Only its lower 32 bits count, as in zlib.adler32, and each\n"
                     "half of them modulo 65521. May be called from any thread; the GIL is\n"
                     "released from 64 KiB on. Raises TypeError or BufferError unless data is a\n"
                     "C-contiguous buffer."),
    fastcall::method("fletcher32", &one_shot<kFletcher32, &checksum::fletcher32, std::uint32_t{0}>,
                     "fletcher32($module, /, data, value=0)\n--\n\n"
                     "Fletcher-32 of data, as little-endian words of 16 bits from sums of 0 and\n"
                     "modulo 65535 (J. Fletcher, IEEE Transactions on Communications, 1982).\n\n"
                     "An odd last byte counts as a word whose high byte is 0. value is the\n"
                     "checksum of what came before, which must have had an even length for the\n"
                     "result to be that of the whole; Checksum takes pieces of any length.\n"
                     "May be called from any thread; the GIL is released from 64 KiB on.\n"
                     "Raises TypeError or BufferError unless data is a C-contiguous buffer,\n"
                     "ValueError when value is not 0..2^32-1."),
    fastcall::method("xxh32", &one_shot<kXxh32, &checksum::xxh32, std::uint32_t{0}>,
                     "xxh32($module, /, data, seed=0)\n--\n\n"
                     "XXH32 (libxxhash) of data: 0..2^32-1.\n\n"
                     "May be called from any thread; the GIL is released from 64 KiB on.\n"
                     "Raises TypeError or BufferError unless data is a C-contiguous buffer,\n"
                     "ValueError when seed is not 0..2^32-1."),
    fastcall::method("xxh3_64", &one_shot<kXxh3_64, &checksum::xxh3_64, std::uint64_t{0}>,
                     "xxh3_64($module, /, data, seed=0)\n--\n\n"
                     "XXH3, 64 bits (libxxhash), of data: 0..2^64-1.\n\n"
                     "May be called from any thread; the GIL is released from 64 KiB on.\n"
                     "Raises TypeError or BufferError unless data is a C-contiguous buffer,\n"
                     "ValueError when seed is not 0..2^64-1."),
    fastcall::method("xxh3_128", &one_shot<kXxh3_128, &checksum::xxh3_128, std::uint64_t{0}>,
                     "xxh3_128($module, /, data, seed=0)\n--\n\n"
                     "XXH3, 128 bits (libxxhash), of data: 0..2^128-1.\n\n"
                     "May be called from any thread; the GIL is released from 64 KiB on.\n"
                     "Raises TypeError or BufferError unless data is a C-contiguous buffer,\n"
                     "ValueError when seed is not 0..2^64-1."),
    {nullptr, nullptr, 0, nullptr},
};

// Joins two checksums, each an int 0 .. the largest value of Value.
template <typename Value, auto kFunction>
nb::object combine(nb::handle first, nb::handle second, nb::handle length2, const char* name1,
                   const char* name2) {
    std::uint64_t one = 0;
    std::uint64_t two = 0;
    std::uint64_t length = 0;
    constexpr std::uint64_t kMax = std::numeric_limits<Value>::max();
    if (!to_bounded(first.ptr(), name1, kMax, one) || !to_bounded(second.ptr(), name2, kMax, two) ||
        !to_bounded(length2.ptr(), "length2", std::numeric_limits<std::uint64_t>::max(), length)) {
        throw nb::python_error();
    }
    return nb::steal(to_int(kFunction(static_cast<Value>(one), static_cast<Value>(two), length)));
}

template <typename Value, auto kFunction>
void def_crc_combine(nb::module_& module, const char* name, const char* signature,
                     const char* doc) {
    module.def(
        name,
        [](nb::handle crc1, nb::handle crc2, nb::handle length2) {
            return combine<Value, kFunction>(crc1, crc2, length2, "crc1", "crc2");
        },
        nb::arg("crc1").none(), nb::arg("crc2").none(), nb::arg("length2").none(),
        nb::sig(signature), doc);
}

}  // namespace

void init_checksum(nb::module_& module) {
    fastcall::add(module, one_shots);
    def_crc_combine<std::uint32_t, &checksum::crc32_combine>(
        module, "crc32_combine", "def crc32_combine(crc1: int, crc2: int, length2: int) -> int",
        "CRC-32 of A + B from the checksums of A and B and the length of B in bytes.\n\n"
        "Takes time proportional to the logarithm of length2; may be called from any thread.\n"
        "Raises ValueError when a checksum is not 0..2^32-1 or length2 not 0..2^64-1.");
    def_crc_combine<std::uint32_t, &checksum::crc32c_combine>(
        module, "crc32c_combine", "def crc32c_combine(crc1: int, crc2: int, length2: int) -> int",
        "CRC-32C of A + B from the checksums of A and B and the length of B in bytes.\n\n"
        "Otherwise as crc32_combine.");
    def_crc_combine<std::uint64_t, &checksum::crc64nvme_combine>(
        module, "crc64nvme_combine",
        "def crc64nvme_combine(crc1: int, crc2: int, length2: int) -> int",
        "CRC-64/NVME of A + B from the checksums of A and B and the length of B in bytes.\n\n"
        "Otherwise as crc32_combine, with checksums of 0..2^64-1.");
    module.def(
        "adler32_combine",
        [](nb::handle adler1, nb::handle adler2, nb::handle length2) {
            return combine<std::uint32_t, &checksum::adler32_combine>(adler1, adler2, length2,
                                                                      "adler1", "adler2");
        },
        nb::arg("adler1").none(), nb::arg("adler2").none(), nb::arg("length2").none(),
        nb::sig("def adler32_combine(adler1: int, adler2: int, length2: int) -> int"),
        "Adler-32 of A + B from the checksums of A and B and the length of B in bytes.\n\n"
        "Takes constant time; may be called from any thread. Raises ValueError when a checksum\n"
        "is not 0..2^32-1 or length2 not 0..2^64-1.");
}

}  // namespace dwcp::bindings
