#include "dwcp/cache/stream.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "buffer.hpp"
#include "cache/parts.hpp"

namespace dwcp::bindings::cache_parts {

namespace {

// The bytes of a buffer, got once. Views that are made of it share nothing that counts them:
// without the GIL Python 3.13 loses count where threads share a memoryview.
class Bytes {
  public:
    explicit Bytes(nb::handle data) : buffer_(data, "data") {}
    [[nodiscard]] const Buffer& buffer() const noexcept { return buffer_; }

  private:
    Buffer buffer_;
};

int get_bytes(PyObject* self, Py_buffer* view, int flags) {
    const Py_buffer& all = nb::inst_ptr<Bytes>(nb::handle(self))->buffer().view();
    static std::byte empty{};
    void* const data = all.len == 0 ? &empty : all.buf;
    return PyBuffer_FillInfo(view, self, data, all.len, all.readonly, flags);
}
int traverse_bytes(PyObject* object, visitproc visit, void* arg) noexcept {
    Py_VISIT(Py_TYPE(object));
    if (nb::inst_ready(object)) Py_VISIT(nb::inst_ptr<Bytes>(object)->buffer().view().obj);
    return 0;
}

PyType_Slot bytes_slots[] = {
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_bytes)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse_bytes)},
    {0, nullptr},
};

// The chunks of a buffer as memoryviews, in turn. Threads that share one get each chunk once.
class Chunks {
  public:
    Chunks(nb::handle data, std::size_t chunk, std::size_t distance, std::size_t stride,
           bool mapped)
        : bytes_(nb::type<Bytes>()(data)),
          stream_(std::in_place, nb::inst_ptr<Bytes>(bytes_)->buffer().bytes(), chunk,
                  cache::StreamOptions{distance, stride, mapped}) {}

    // A new reference; nullptr without an exception at the end.
    PyObject* next() noexcept {
        if (!stream_) return nullptr;
        // Only the number of the chunk is handed out by it: relaxed.
        const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed);
        if (index >= stream_->size()) {
            next_.store(stream_->size(), std::memory_order_relaxed);
            return nullptr;
        }
        if (stream_->will_advise(index)) {
            const nb::gil_scoped_release release;
            stream_->fetch_ahead(index);
        } else {
            stream_->fetch_ahead(index);
        }
        const nb::object all = nb::steal(PyMemoryView_FromObject(bytes_.ptr()));
        if (!all.is_valid()) return nullptr;
        const std::size_t begin = stream_->offset(index);
        return PySequence_GetSlice(all.ptr(), static_cast<Py_ssize_t>(begin),
                                   static_cast<Py_ssize_t>(begin + stream_->chunk(index).size()));
    }

    [[nodiscard]] std::size_t left() const noexcept {
        const std::size_t all = stream_ ? stream_->size() : 0;
        const std::size_t gone = next_.load(std::memory_order_relaxed);
        return gone < all ? all - gone : 0;
    }
    [[nodiscard]] std::size_t advised_bytes() const noexcept {
        return stream_ ? stream_->advised_bytes() : 0;
    }
    [[nodiscard]] nb::object refusal() const {
        const int error = stream_ ? stream_->refusal() : 0;
        if (error == 0) return nb::none();
        return nb::handle(PyExc_OSError)(error, std::strerror(error));
    }
    [[nodiscard]] PyObject* bytes() const noexcept { return bytes_.ptr(); }
    // Ends it: nobody but the garbage collector has it any more.
    void clear() noexcept {
        stream_.reset();
        bytes_.reset();
    }

  private:
    // In this order: the memory is there as long as there is a view.
    nb::object bytes_;
    std::optional<cache::Stream> stream_;
    std::atomic<std::size_t> next_{0};
};

PyObject* itself(PyObject* object) noexcept {
    Py_INCREF(object);
    return object;
}
PyObject* next(PyObject* object) noexcept {
    return nb::inst_ready(object) ? nb::inst_ptr<Chunks>(object)->next() : nullptr;
}
int traverse(PyObject* object, visitproc visit, void* arg) noexcept {
    Py_VISIT(Py_TYPE(object));
    if (nb::inst_ready(object)) Py_VISIT(nb::inst_ptr<Chunks>(object)->bytes());
    return 0;
}

int clear(PyObject* object) noexcept {
    if (nb::inst_ready(object)) nb::inst_ptr<Chunks>(object)->clear();
    return 0;
}

PyType_Slot slots[] = {
    {Py_tp_iter, reinterpret_cast<void*>(itself)},
    {Py_tp_iternext, reinterpret_cast<void*>(next)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {0, nullptr},
};

}  // namespace

void define_stream(nb::module_& module) {
    nb::class_<Bytes>(module, "StreamBytes", nb::type_slots(bytes_slots),
                      "The memory of a stream, which its chunks keep.")
        .def(nb::init<nb::handle>(), nb::arg("data").none(),
             nb::sig("def __init__(self, data: dwcp.typing.BufferLike) -> None"));
    nb::class_<Chunks>(module, "Stream", nb::type_slots(slots),
                       "Chunks of a buffer in turn, while those to come are fetched: what "
                       "stream() returns.\n\n"
                       "Threads may share one; each chunk goes to one of them. The buffer is held "
                       "while the\n"
                       "stream or one of its chunks is there.")
        .def(nb::init<nb::handle, std::size_t, std::size_t, std::size_t, bool>(),
             nb::arg("data").none(), nb::arg("chunk"), nb::arg("distance"), nb::arg("stride"),
             nb::arg("mapped"),
             nb::sig("def __init__(self, data: dwcp.typing.BufferLike, chunk: int, distance: int, "
                     "stride: int, mapped: bool) -> None"))
        .def("__length_hint__", &Chunks::left, "How many chunks are left.")
        .def_prop_ro("advised_bytes", &Chunks::advised_bytes,
                     "For how much the kernel was told what comes, in bytes.")
        .def_prop_ro("refusal", &Chunks::refusal,
                     nb::for_getter(nb::sig("def refusal(self) -> OSError | None")),
                     "Why the kernel refused to be told, after which it was not tried again; None\n"
                     "when it did not. madvise(2) says what the errors mean.");
}

}  // namespace dwcp::bindings::cache_parts
