#include "dwcp/checksum/chunks.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "buffer.hpp"
#include "dwcp/checksum/rolling.hpp"
#include "topics.hpp"
#include "turns.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace dwcp::bindings {

namespace {

std::uint64_t to_size(const char* function, const char* name, std::int64_t value) {
    if (value < 0) {
        throw std::invalid_argument(std::string(function) + ": " + name +
                                    " must not be negative, but is " + std::to_string(value));
    }
    return static_cast<std::uint64_t>(value);
}

class Rolling {
  public:
    explicit Rolling(std::int64_t window) : hash_(to_size("RollingHash", "window", window)) {}

    [[nodiscard]] std::size_t window() const { return hash_.window(); }
    [[nodiscard]] std::uint64_t value() {
        return turns_.take(0, [&] { return hash_.value(); });
    }
    void update(std::int64_t byte) {
        if (byte < 0 || byte > 255) {
            throw std::invalid_argument("RollingHash: byte must be from 0 to 255, not " +
                                        std::to_string(byte));
        }
        turns_.take(0, [&] { hash_.update(static_cast<std::byte>(byte)); });
    }
    void reset() {
        turns_.take(0, [&] { hash_.reset(); });
    }
    nb::object scan(nb::handle data, nb::handle out) {
        const Buffer buffer(data, "data");
        if (out.is_none()) {
            std::vector<std::uint64_t> values(buffer.bytes().size());
            scan_into(buffer.bytes(), values);
            return nb::cast(to_array<1>(std::move(values))).attr("reshape")(-1);
        }
        const Buffer target(out, "out", true);
        const std::span<std::byte> bytes = target.writable_bytes();
        if (bytes.size() != buffer.bytes().size() * sizeof(std::uint64_t)) {
            throw std::invalid_argument(
                "RollingHash: out must have 8 bytes for each byte of data, which are " +
                std::to_string(buffer.bytes().size() * sizeof(std::uint64_t)) + ", not " +
                std::to_string(bytes.size()));
        }
        if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(std::uint64_t) != 0) {
            throw std::invalid_argument("RollingHash: out must be aligned to 8 bytes");
        }
        scan_into(buffer.bytes(),
                  {reinterpret_cast<std::uint64_t*>(bytes.data()), buffer.bytes().size()});
        return nb::borrow(out);
    }

  private:
    void scan_into(std::span<const std::byte> data, std::span<std::uint64_t> values) {
        turns_.take(data.size(), [&] { hash_.scan(data, values); });
    }

    Turns turns_;
    checksum::RollingHash hash_;
};

}  // namespace

void init_chunks(nb::module_& module) {
    module.def(
        "chunks",
        [](nb::handle data, std::int64_t min, std::int64_t avg, std::int64_t max) {
            const Buffer buffer(data, "data");
            const checksum::ChunkSizes sizes{to_size("chunks", "min", min),
                                             to_size("chunks", "avg", avg),
                                             to_size("chunks", "max", max)};
            return to_array<2>(without_gil(
                buffer.bytes().size(), [&] { return checksum::chunks(buffer.bytes(), sizes); }));
        },
        nb::arg("data"), "min"_a = checksum::ChunkSizes{}.min, "avg"_a = checksum::ChunkSizes{}.avg,
        "max"_a = checksum::ChunkSizes{}.max,
        nb::sig("def chunks(data: dwcp.typing.BufferLike, min: int = 2048, avg: int = 8192, "
                "max: int = 65536) -> numpy.typing.NDArray[numpy.uint64]"),
        "Content-defined chunks of data: an array of shape (n, 2), offset and length in bytes.\n\n"
        "Boundaries move with the content: after an insertion only the chunks around it differ.\n"
        "Chunks come in order and without gaps; empty data have none. All but the last have at\n"
        "least min bytes and all at most max; around avg a boundary becomes easy to find.\n"
        "After FastCDC (W. Xia et al., 2016); docs/chunks.md defines them exactly, the same on\n"
        "every processor. May be called from any thread; the GIL is released for long data.\n"
        "Raises ValueError unless 64 <= min <= avg <= max <= 268435456, and TypeError or\n"
        "BufferError unless data is a C-contiguous buffer.");
    nb::class_<Rolling>(module, "RollingHash",
                        "Hash of the last `window` bytes, brought up to date byte by byte.\n\n"
                        "With M = 6364136223846793005 and the last n bytes b[1] .. b[n], n up to\n"
                        "the window, value is the sum of (b[i] + 1) * M**(n - i) modulo 2**64\n"
                        "(R. Karp, M. Rabin, 1987): order counts, and so do zeros. The high bits\n"
                        "mix best. No protection against an adversary. Threads that share an\n"
                        "object take turns call by call; the GIL is released for long data.\n"
                        "Raises ValueError unless window is from\n"
                        "1 to 1073741824 bytes.")
        .def(nb::init<std::int64_t>(), nb::arg("window"))
        .def_prop_ro("window", &Rolling::window, "Bytes that the value depends on.")
        .def_prop_ro("value", &Rolling::value,
                     "The hash, 64 bits; 0 before the first byte, and of fewer bytes than the "
                     "window\nbefore it is full.")
        .def("update", &Rolling::update, nb::arg("byte"),
             "Take one more byte, an int from 0 to 255 (else ValueError).")
        .def("reset", &Rolling::reset, "Forget all bytes.")
        .def("scan", &Rolling::scan, nb::arg("data"), "out"_a = nb::none(),
             nb::sig("def scan(self, data: dwcp.typing.BufferLike, "
                     "out: dwcp.typing.BufferLike | None = None) -> typing.Any"),
             "update() with each byte of data; the value after each, an array of uint64.\n\n"
             "out, where given, takes the values and is returned: a writable buffer of 8 bytes\n"
             "for each byte of data, aligned to 8 (else ValueError).");
}

}  // namespace dwcp::bindings
