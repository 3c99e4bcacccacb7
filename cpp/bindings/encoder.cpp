#include "dwcp/delta/encoder.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <mutex>
#include <stdexcept>
#include <string>

#include "buffer.hpp"
#include "dirty_tracker.hpp"
#include "options.hpp"
#include "state.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

// Serialises the calls of several threads. The lock is taken without the GIL: whoever holds it
// needs the GIL again to give it back.
class LockedEncoder {
  public:
    LockedEncoder(nb::handle initial, std::optional<std::vector<std::uint64_t>> offsets,
                  const delta::Options& options)
        : offsets_(std::move(offsets)), encoder_(create(initial, offsets_, options)) {}
    LockedEncoder(int fd, const delta::Options& options) : encoder_(from_file(fd, options)) {}

    nb::bytes encode(nb::handle current) {
        delta::Bytes result;
        if (nb::isinstance<LockedTracker>(current)) {
            nb::cast<LockedTracker&>(current).locked([&](delta::DirtyTracker& tracker) {
                const std::lock_guard lock(mutex_);
                result = encoder_.encode(tracker);
            });
            return to_bytes(result);
        }
        const State state(current, offsets_, "current");
        {
            nb::gil_scoped_release release;
            const std::lock_guard lock(mutex_);
            result = encoder_.encode(state.parts());
        }
        return to_bytes(result);
    }

    nb::bytes encode_file(int fd) {
        delta::Bytes result;
        {
            nb::gil_scoped_release release;
            const std::lock_guard lock(mutex_);
            result = encoder_.encode_file(fd);
        }
        return to_bytes(result);
    }

    template <typename Get>
    auto locked(Get&& get) {
        nb::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        return get(encoder_);
    }

    [[nodiscard]] std::span<const std::byte> state() const noexcept { return encoder_.state(); }

  private:
    static delta::Encoder create(nb::handle initial,
                                 const std::optional<std::vector<std::uint64_t>>& offsets,
                                 const delta::Options& options) {
        const State state(initial, offsets, "initial");
        nb::gil_scoped_release release;
        return {state.parts(), state.length(), options};
    }
    static delta::Encoder from_file(int fd, const delta::Options& options) {
        nb::gil_scoped_release release;
        return delta::Encoder::from_file(fd, options);
    }

    std::optional<std::vector<std::uint64_t>> offsets_;
    std::mutex mutex_;
    delta::Encoder encoder_;
};

class LockedDecoder {
  public:
    LockedDecoder(nb::handle state, std::optional<std::uint64_t> digest)
        : buffer_(state, "state", true), decoder_(buffer_.writable_bytes(), digest) {}

    std::uint64_t apply(nb::handle delta_object) {
        const Buffer delta(delta_object, "delta");
        nb::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        return decoder_.apply(delta.bytes());
    }
    std::uint64_t digest() {
        nb::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        return decoder_.digest();
    }
    bool verify() {
        nb::gil_scoped_release release;
        const std::lock_guard lock(mutex_);
        return decoder_.verify();
    }

  private:
    Buffer buffer_;
    std::mutex mutex_;
    delta::Decoder decoder_;
};

// The encoder's copy of the state as a read-only buffer.
int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    const auto state = nb::inst_ptr<LockedEncoder>(nb::handle(self))->state();
    static std::byte empty{};
    void* const data = const_cast<std::byte*>(state.empty() ? &empty : state.data());
    return PyBuffer_FillInfo(view, self, data, static_cast<Py_ssize_t>(state.size()), 1, flags);
}

PyType_Slot encoder_slots[] = {
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {0, nullptr},
};

}  // namespace

void init_encoder(nb::module_& module) {
    using namespace nb::literals;
    const auto options = [](std::string_view codec, std::optional<int> level, std::string_view mode,
                            std::size_t block_size) {
        return make_options(codec, level, mode, block_size, std::nullopt);
    };

    nb::class_<LockedEncoder>(
        module, "Encoder", nb::type_slots(encoder_slots),
        "Keeps a copy of the last encoded state and compares with it.\n\n"
        "The copy is brought up to date in the pass that compares, and its digest in time\n"
        "proportional to the change. Calls from several threads are serialised; the GIL is "
        "released.")
        .def(
            "__init__",
            [options](LockedEncoder* self, nb::handle initial,
                      std::optional<std::vector<std::uint64_t>> offsets, std::string_view codec,
                      std::optional<int> level, std::string_view mode, std::size_t block_size) {
                new (self) LockedEncoder(initial, std::move(offsets),
                                         options(codec, level, mode, block_size));
            },
            nb::arg("initial"), nb::kw_only(), "offsets"_a = nb::none(), "codec"_a = "none",
            "level"_a = nb::none(), "mode"_a = "auto", "block_size"_a = delta::kBlockBytesDefault,
            nb::sig("def __init__(self, initial: dwcp.typing.BufferLike | "
                    "collections.abc.Sequence[dwcp.typing.BufferLike], *, "
                    "offsets: collections.abc.Sequence[int] | None = None, codec: str = 'none', "
                    "level: int | None = None, mode: str = 'auto', "
                    "block_size: int = 1048576) -> None"),
            "Copy the initial state: a buffer, or buffers at the given offsets in bytes (without\n"
            "offsets each at the next multiple of 64) with zeros between them.\n\n"
            "The other parameters are those of encode. Raises ValueError when parts overlap.")
        .def_static(
            "from_file",
            [options](int fd, std::string_view codec, std::optional<int> level,
                      std::string_view mode, std::size_t block_size) {
                return new LockedEncoder(fd, options(codec, level, mode, block_size));
            },
            nb::arg("fd"), nb::kw_only(), "codec"_a = "none", "level"_a = nb::none(),
            "mode"_a = "auto", "block_size"_a = delta::kBlockBytesDefault,
            nb::rv_policy::take_ownership,
            nb::sig("def from_file(fd: int, *, codec: str = 'none', level: int | None = None, "
                    "mode: str = 'auto', block_size: int = 1048576) -> Encoder"),
            "Take the initial state from a file descriptor (regular file, memory file or block\n"
            "device) by pread(2). Raises SourceChanged when it changes meanwhile, OSError.")
        .def(
            "encode", &LockedEncoder::encode, nb::arg("current"),
            nb::sig("def encode(self, current: dwcp.typing.BufferLike | "
                    "collections.abc.Sequence[dwcp.typing.BufferLike] | DirtyTracker) -> bytes"),
            "Delta from the last encoded state to current, which is laid out like the initial "
            "one.\n\n"
            "For a DirtyTracker it is the state in the tracker's buffers, of which only what was\n"
            "written since the last call is compared; all of it at first, and where the last call\n"
            "was not for the same tracker or somebody else has asked it meanwhile.\n\n"
            "Bytes of current that another thread changes meanwhile are taken once, before or "
            "after\n"
            "the change; delta and copy agree. Raises ValueError when lengths differ, Closed for "
            "a\n"
            "tracker that was closed.")
        .def("encode_file", &LockedEncoder::encode_file, nb::arg("fd"),
             nb::sig("def encode_file(self, fd: int) -> bytes"),
             "Delta to the state that a file holds, read by pread(2).\n\n"
             "Raises SourceChanged when the file has another length or was modified meanwhile (by\n"
             "its size, mtime or ctime) and OSError; the encoder is then as before the call.")
        .def_prop_ro(
            "digest",
            [](LockedEncoder& self) {
                return self.locked([](delta::Encoder& encoder) { return encoder.digest(); });
            },
            "CRC-64/NVME of the last encoded state.")
        .def_prop_ro(
            "state_length_bytes", [](LockedEncoder& self) { return self.state().size(); },
            "Length of the state.")
        .def_prop_ro(
            "changed_lines",
            [](LockedEncoder& self) {
                return self.locked([](delta::Encoder& encoder) { return encoder.changed_lines(); });
            },
            "Lines of 64 bytes that differed in the last delta.")
        .def_prop_ro(
            "changed_bytes",
            [](LockedEncoder& self) {
                return self.locked([](delta::Encoder& encoder) { return encoder.changed_bytes(); });
            },
            "Bytes that differed in the last delta.")
        .def_prop_ro(
            "state",
            [](nb::handle self) {
                PyObject* const view = PyMemoryView_FromObject(self.ptr());
                if (view == nullptr) throw nb::python_error();
                return nb::steal(view);
            },
            nb::sig("def state(self) -> memoryview"),
            "Read-only view of the last encoded state; the next call of encode changes it.");

    nb::class_<LockedDecoder>(
        module, "Decoder",
        "Applies deltas to a buffer whose digest it keeps.\n\n"
        "Nobody else may write to the buffer. Calls from several threads are\n"
        "serialised; the GIL is released.")
        .def(nb::init<nb::handle, std::optional<std::uint64_t>>(), nb::arg("state"),
             nb::arg("digest") = nb::none(),
             nb::sig("def __init__(self, state: dwcp.typing.BufferLike, "
                     "digest: int | None = None) -> None"),
             "state is a writable buffer, digest its crc64nvme where that is known.")
        .def("apply", &LockedDecoder::apply, nb::arg("delta"),
             nb::sig("def apply(self, delta: dwcp.typing.BufferLike) -> int"),
             "Apply a delta in place and return the new digest; raises as dwcp.delta.apply does.")
        .def("verify", &LockedDecoder::verify,
             "Recompute the digest in full; whether the state is what the decoder holds it for.")
        .def_prop_ro("digest", &LockedDecoder::digest, "CRC-64/NVME of the state.");
}

}  // namespace dwcp::bindings
