#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "buffer.hpp"
#include "dwcp/checksum/checksum.hpp"
#include "integers.hpp"
#include "topics.hpp"
#include "turns.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

using checksum::Algorithm;
using checksum::Hash128;

std::uint64_t seed_from(nb::handle seed) {
    std::uint64_t value = 0;
    if (!to_bounded(seed.ptr(), "seed", std::numeric_limits<std::uint64_t>::max(), value)) {
        throw nb::python_error();
    }
    return value;
}

std::string hex(std::span<const std::byte> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::byte byte : bytes) {
        text += kDigits[std::to_integer<std::size_t>(byte >> 4)];
        text += kDigits[std::to_integer<std::size_t>(byte & std::byte{0xF})];
    }
    return text;
}

// Calls of several threads take turns.
class LockedChecksum {
  public:
    LockedChecksum(std::string_view name, nb::handle data, nb::handle seed)
        : checksum_(checksum::parse(name), seed_from(seed)) {
        update(data);
    }
    explicit LockedChecksum(const checksum::Checksum& checksum) : checksum_(checksum) {}

    void update(nb::handle data) {
        const Buffer buffer(data, "data");
        turns_.take(buffer.bytes().size(), [&] { checksum_.update(buffer.bytes()); });
    }
    void reset() {
        turns_.take(0, [&] { checksum_.reset(); });
    }
    std::unique_ptr<LockedChecksum> copy() {
        return turns_.take(0, [&] { return std::make_unique<LockedChecksum>(checksum_); });
    }
    nb::object value() {
        const Hash128 value = turns_.take(0, [&] { return checksum_.value(); });
        PyObject* const result = value.high64 == 0 ? to_int(value.low64) : to_int(value);
        if (result == nullptr) throw nb::python_error();
        return nb::steal(result);
    }
    std::vector<std::byte> digest() {
        return turns_.take(0, [&] { return checksum_.digest(); });
    }
    [[nodiscard]] Algorithm algorithm() const noexcept { return checksum_.algorithm(); }

  private:
    Turns turns_;
    checksum::Checksum checksum_;
};

std::uint64_t lowest_bits(std::size_t bytes) {
    return bytes >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1;
}

void add_digit(Hash128& value, unsigned digit, unsigned bits) {
    value.high64 = value.high64 << bits | value.low64 >> (64 - bits);
    value.low64 = value.low64 << bits | digit;
}

Hash128 from_hex(std::string_view text, std::size_t size, std::string_view name) {
    Hash128 value;
    bool good = text.size() == 2 * size;
    for (const char character : text) {
        constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
        const std::size_t place = kDigits.find(character);
        good = good && place != std::string_view::npos;
        if (!good) break;
        add_digit(value, static_cast<unsigned>(place < 16 ? place : place - 6), 4);
    }
    if (!good) {
        throw std::invalid_argument("expected must have " + std::to_string(2 * size) +
                                    " hexadecimal digits for " + std::string(name));
    }
    return value;
}

Hash128 from_digest(std::span<const std::byte> bytes, std::size_t size, std::string_view name) {
    if (bytes.size() != size) {
        throw std::invalid_argument("expected must have " + std::to_string(size) + " bytes for " +
                                    std::string(name) + ", not " + std::to_string(bytes.size()));
    }
    Hash128 value;
    for (const std::byte byte : bytes) add_digit(value, std::to_integer<unsigned>(byte), 8);
    return value;
}

// An int, a digest, or its hexadecimal digits.
Hash128 to_expected(Algorithm algorithm, nb::handle expected) {
    const std::size_t size = checksum::digest_bytes(algorithm);
    const std::string_view name = checksum::name(algorithm);
    if (nb::isinstance<nb::str>(expected)) {
        return from_hex(nb::cast<std::string>(expected), size, name);
    }
    if (PyIndex_Check(expected.ptr()) != 0) {
        Hash128 value;
        const Hash128 max{lowest_bits(size), size > 8 ? ~std::uint64_t{0} : 0};
        if (!to_hash128(expected.ptr(), "expected", max, value)) throw nb::python_error();
        return value;
    }
    if (PyObject_CheckBuffer(expected.ptr()) == 0) {
        PyErr_Format(PyExc_TypeError, "expected must be an int, bytes or str, not %R",
                     reinterpret_cast<PyObject*>(Py_TYPE(expected.ptr())));
        throw nb::python_error();
    }
    const Buffer buffer(expected, "expected");
    return from_digest(buffer.bytes(), size, name);
}

bool verify(std::string_view name, nb::handle data, nb::handle expected) {
    const Algorithm algorithm = checksum::parse(name);
    const Hash128 wanted = to_expected(algorithm, expected);
    const Buffer buffer(data, "data");
    return without_gil(buffer.bytes().size(),
                       [&] { return checksum::verify(algorithm, buffer.bytes(), wanted); });
}

std::vector<std::string> algorithms() {
    std::vector<std::string> names;
    for (const Algorithm algorithm : checksum::kAlgorithms) {
        names.emplace_back(checksum::name(algorithm));
    }
    return names;
}

void define_class(nb::module_& module) {
    nb::class_<LockedChecksum>(
        module, "Checksum",
        "A checksum of data that come in pieces, used like the objects of hashlib.\n\n"
        "Calls from several threads are serialised by a lock in each object, with the GIL and\n"
        "without one. The GIL is released for pieces of 64 KiB and more; a piece once begun is\n"
        "not interrupted by signals.")
        .def(nb::init<std::string_view, nb::handle, nb::handle>(), nb::arg("name"),
             nb::arg("data").none() = nb::bytes("", 0), nb::kw_only(), nb::arg("seed").none() = 0,
             nb::sig("def __init__(self, name: str, data: dwcp.typing.BufferLike = b'', *, "
                     "seed: int = 0) -> None"),
             "Begin with the algorithm name, one of algorithms_available, and the first data.\n\n"
             "seed is for xxh32 (0..2^32-1), xxh3_64 and xxh3_128 (0..2^64-1). Raises ValueError\n"
             "for an unknown name or a seed out of bounds, TypeError or BufferError unless data\n"
             "is a C-contiguous buffer.")
        .def("update", &LockedChecksum::update, nb::arg("data").none(),
             nb::sig("def update(self, data: dwcp.typing.BufferLike, /) -> None"),
             "Go on with data. Pieces of any length give what the whole would give.\n\n"
             "Raises TypeError or BufferError unless data is a C-contiguous buffer.")
        .def("reset", &LockedChecksum::reset, "Begin anew, with the same seed.")
        .def("copy", &LockedChecksum::copy, nb::sig("def copy(self) -> Checksum"),
             "An object with the data so far that goes its own way from here.")
        .def(
            "digest", [](LockedChecksum& self) { return to_bytes(self.digest()); },
            "Checksum of the data so far as digest_size bytes, big-endian. More may follow.")
        .def(
            "hexdigest", [](LockedChecksum& self) { return hex(self.digest()); },
            "The same as 2 * digest_size hexadecimal digits.")
        .def_prop_ro("value", &LockedChecksum::value,
                     nb::for_getter(nb::sig("def value(self) -> int")),
                     "Checksum of the data so far as an int, what the one-shot function returns.")
        .def_prop_ro(
            "name", [](const LockedChecksum& self) { return checksum::name(self.algorithm()); },
            "Name of the algorithm, which is that of the one-shot function.")
        .def_prop_ro(
            "digest_size",
            [](const LockedChecksum& self) { return checksum::digest_bytes(self.algorithm()); },
            "Length of digest() in bytes: 4, 8 or 16.")
        .def_prop_ro(
            "block_size",
            [](const LockedChecksum& self) { return checksum::block_bytes(self.algorithm()); },
            "How many bytes the algorithm takes at a time: 1 for CRCs and Adler-32, 2 for\n"
            "Fletcher-32, 16 for XXH32, 64 for XXH3.");
}

}  // namespace

void init_checksum_object(nb::module_& module) {
    define_class(module);
    module.def("algorithms", &algorithms, "Names that Checksum and verify know.");
    module.def(
        "verify", &verify, nb::arg("name"), nb::arg("data").none(), nb::arg("expected").none(),
        nb::sig("def verify(name: str, data: dwcp.typing.BufferLike, "
                "expected: int | dwcp.typing.BufferLike | str) -> bool"),
        "Whether data have the checksum expected: True if and only if they have.\n\n"
        "expected is an int, a digest (big-endian bytes) or its hexadecimal digits, as value,\n"
        "digest() and hexdigest() of Checksum give them. May be called from any thread; the GIL\n"
        "is released for data of 64 KiB and more. Raises ValueError for an unknown name or when\n"
        "expected has the wrong size for it, TypeError or BufferError unless data is a\n"
        "C-contiguous buffer.");
}

}  // namespace dwcp::bindings
