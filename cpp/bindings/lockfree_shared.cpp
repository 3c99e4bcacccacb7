#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "buffer.hpp"
#include "dwcp/lockfree/shared/byte_ring.hpp"
#include "lockfree/structure.hpp"
#include "topics.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace dwcp::bindings {

namespace {

namespace shared = dwcp::lockfree::shared;
using lockfree::Patience;
using shared::Outcome;

[[noreturn]] void raise_error(const char* name, const char* text) {
    const nb::object type = nb::module_::import_("dwcp.errors").attr(name);
    PyErr_SetString(type.ptr(), text);
    throw nb::python_error();
}

[[noreturn]] void raise_none(PyObject* type) {
    PyErr_SetNone(type);
    throw nb::python_error();
}

Patience patience_of(nb::handle block, nb::handle timeout) {
    Patience patience;
    if (!patience.parse(block.ptr(), timeout.ptr())) throw nb::python_error();
    return patience;
}

// A ring that can be closed while other threads use it: they keep it until they are through.
class Ring : public std::enable_shared_from_this<Ring> {
  public:
    explicit Ring(shared::ByteRing ring) : ring_(std::move(ring)) {}
    shared::ByteRing& operator*() noexcept { return ring_; }
    shared::ByteRing* operator->() noexcept { return &ring_; }

    // With the GIL: the first attempt keeps it, further ones and the waiting do without.
    template <typename Attempt>
    void until(bool putting, const Patience& patience, Attempt&& attempt) {
        const bool down = ring_.is_shut_down();
        if (attempt()) return;
        Outcome outcome = down ? Outcome::kShutDown : Outcome::kTimedOut;
        if (!down && patience.block) {
            const auto check = [] {
                const nb::gil_scoped_acquire acquire;
                if (PyErr_CheckSignals() != 0) throw nb::python_error();
            };
            const nb::gil_scoped_release release;
            outcome = putting ? ring_.wait_for_room(attempt, patience.deadline, check)
                              : ring_.wait_for_message(attempt, patience.deadline, check);
        }
        if (outcome == Outcome::kDone) return;
        if (outcome == Outcome::kShutDown) raise_none(lockfree::exceptions.shut_down);
        if (outcome == Outcome::kPeerLost) {
            raise_error("PeerLost", putting ? "the last consumer has died and the ring is full"
                                            : "the last producer has died and the ring is empty");
        }
        raise_none(putting ? lockfree::exceptions.full : lockfree::exceptions.empty);
    }

  private:
    shared::ByteRing ring_;
};

void copy(std::span<std::byte> to, std::span<const std::byte> from) {
    if (from.empty()) return;
    without_gil(from.size(), [&] {
        std::memcpy(to.data(), from.data(), from.size());
        return 0;
    });
}

// A message in the memory of a ring, while a `with` block works on it.
template <typename Message>
class InPlace {
  public:
    static constexpr bool kWriting = std::is_same_v<Message, shared::ByteRing::Writing>;

    InPlace(std::shared_ptr<Ring> ring, Message message)
        : ring_(std::move(ring)), message_(std::move(message)) {}

    nb::object enter(nb::handle self) {
        if (!message_) raise_error("Closed", "the block of this message has ended");
        view_ = nb::steal(PyMemoryView_FromObject(self.ptr()));
        if (!view_.is_valid()) throw nb::python_error();
        return view_;
    }
    void exit(nb::handle type) {
        if (!message_) return;
        if (view_.is_valid()) {
            const nb::object view = std::move(view_);
            try {
                view.attr("release")();
            } catch (nb::python_error&) {
                message_.reset();
                throw;
            }
        }
        if (exports_ != 0) {
            message_.reset();
            PyErr_SetString(PyExc_BufferError,
                            "something still uses the memory of the message: copy what is to stay");
            throw nb::python_error();
        }
        if (!type.is_none()) {
            message_.reset();
        } else if constexpr (kWriting) {
            message_->commit(message_->room().size());
            message_.reset();
        } else {
            message_->consume();
            message_.reset();
        }
    }

    static int get_buffer(PyObject* self, Py_buffer* view, int flags) noexcept {
        InPlace& message = *nb::inst_ptr<InPlace>(self);
        if (!message.message_) {
            PyErr_SetString(PyExc_BufferError, "the block of this message has ended");
            return -1;
        }
        static std::byte empty;
        const std::span<const std::byte> bytes = message.bytes();
        void* const data = const_cast<std::byte*>(bytes.empty() ? &empty : bytes.data());
        const int result = PyBuffer_FillInfo(
            view, self, data, static_cast<Py_ssize_t>(bytes.size()), kWriting ? 0 : 1, flags);
        if (result == 0) ++message.exports_;
        return result;
    }
    static void release_buffer(PyObject* self, Py_buffer*) noexcept {
        --nb::inst_ptr<InPlace>(self)->exports_;
    }

  private:
    std::span<const std::byte> bytes() const {
        if constexpr (kWriting) {
            return message_->room();
        } else {
            return message_->data();
        }
    }

    std::shared_ptr<Ring> ring_;
    std::optional<Message> message_;
    nb::object view_;
    std::atomic<int> exports_{0};
};
using Writing = InPlace<shared::ByteRing::Writing>;
using Reading = InPlace<shared::ByteRing::Reading>;

class Handle {
  public:
    Handle(const std::optional<std::string>& name, std::optional<std::int64_t> capacity,
           std::optional<int> fd) {
        if (capacity) {
            if (*capacity < 1) {
                throw std::invalid_argument("capacity must be from 1 to 2^40 bytes, but is " +
                                            std::to_string(*capacity));
            }
            ring_ = std::make_shared<Ring>(
                shared::ByteRing::create(name, static_cast<std::uint64_t>(*capacity)));
        } else if (fd) {
            ring_ = std::make_shared<Ring>(shared::ByteRing::attach(*fd));
        } else {
            ring_ = std::make_shared<Ring>(shared::ByteRing::attach(name.value_or("")));
        }
    }

    void put(nb::handle data, nb::handle block, nb::handle timeout) {
        const std::shared_ptr<Ring> ring = open();
        const Buffer buffer(data, "data");
        put_bytes(*ring, buffer.bytes(), patience_of(block, timeout));
    }
    bool try_put(nb::handle data) {
        const std::shared_ptr<Ring> ring = open();
        const Buffer buffer(data, "data");
        return without_gil(buffer.bytes().size(), [&] { return (*ring)->try_put(buffer.bytes()); });
    }
    std::size_t put_many(nb::handle messages, nb::handle block, nb::handle timeout) {
        const std::shared_ptr<Ring> ring = open();
        const Patience patience = patience_of(block, timeout);
        const nb::object all = nb::steal(PySequence_Tuple(messages.ptr()));
        if (!all.is_valid()) throw nb::python_error();
        std::size_t done = 0;
        try {
            for (nb::handle message : nb::borrow<nb::tuple>(all)) {
                const Buffer buffer(message, "items");
                put_bytes(*ring, buffer.bytes(), patience);
                ++done;
            }
        } catch (nb::python_error& error) {
            const bool partial = error.matches(lockfree::exceptions.full) ||
                                 (done > 0 && error.matches(lockfree::exceptions.shut_down));
            if (!partial) throw;
        }
        return done;
    }
    nb::bytes get(nb::handle block, nb::handle timeout) {
        const std::shared_ptr<Ring> ring = open();
        return take(*ring, patience_of(block, timeout));
    }
    nb::object try_get(nb::object otherwise) {
        const std::shared_ptr<Ring> ring = open();
        std::optional<shared::ByteRing::Reading> reading = (*ring)->try_read();
        if (!reading) return otherwise;
        return to_bytes_and_consume(*reading);
    }
    std::size_t get_into(nb::handle out, nb::handle block, nb::handle timeout) {
        const std::shared_ptr<Ring> ring = open();
        const Buffer buffer(out, "out", true);
        std::optional<shared::ByteRing::Reading> reading;
        read(*ring, patience_of(block, timeout), reading);
        const std::size_t size = reading->data().size();
        const std::span<std::byte> bytes = buffer.writable_bytes();
        if (size > bytes.size()) {
            throw std::invalid_argument("out must have at least " + std::to_string(size) +
                                        " bytes for this message, but has " +
                                        std::to_string(bytes.size()));
        }
        copy(bytes, reading->data());
        reading->consume();
        return size;
    }
    nb::list get_many(std::int64_t max, nb::handle block, nb::handle timeout) {
        if (max < 1) {
            throw std::invalid_argument("max must be at least 1, but is " + std::to_string(max));
        }
        const std::shared_ptr<Ring> ring = open();
        nb::list messages;
        messages.append(take(*ring, patience_of(block, timeout)));
        while (static_cast<std::int64_t>(messages.size()) < max) {
            std::optional<shared::ByteRing::Reading> reading = (*ring)->try_read();
            if (!reading) break;
            messages.append(to_bytes_and_consume(*reading));
        }
        return messages;
    }
    std::unique_ptr<Writing> reserve(std::int64_t size, nb::handle block, nb::handle timeout) {
        if (size < 0) {
            throw std::invalid_argument("size must be at least 0, but is " + std::to_string(size));
        }
        const std::shared_ptr<Ring> ring = open();
        std::optional<shared::ByteRing::Writing> writing;
        ring->until(true, patience_of(block, timeout), [&] {
            auto found = (*ring)->try_reserve(static_cast<std::size_t>(size));
            if (found) writing.emplace(std::move(*found));
            return writing.has_value();
        });
        return std::make_unique<Writing>(ring, std::move(*writing));
    }
    std::unique_ptr<Reading> read_in_place(nb::handle block, nb::handle timeout) {
        const std::shared_ptr<Ring> ring = open();
        std::optional<shared::ByteRing::Reading> reading;
        read(*ring, patience_of(block, timeout), reading);
        return std::make_unique<Reading>(ring, std::move(*reading));
    }
    // For event loops: waits without putting or taking; false when the time is over.
    bool wait(std::optional<std::uint64_t> room, double seconds) {
        const std::shared_ptr<Ring> ring = open();
        const nb::float_ limit(seconds);
        try {
            ring->until(room.has_value(), patience_of(nb::handle(Py_True), limit),
                        [&] { return room ? (*ring)->has_room(*room) : !(*ring)->empty(); });
            return true;
        } catch (nb::python_error& error) {
            if (error.matches(lockfree::exceptions.full) ||
                error.matches(lockfree::exceptions.empty)) {
                return false;
            }
            throw;
        }
    }
    void shutdown(bool immediate) {
        const std::shared_ptr<Ring> ring = open();
        (*ring)->shutdown();
        while (immediate) {
            std::optional<shared::ByteRing::Reading> reading = (*ring)->try_read();
            if (!reading) return;
            reading->consume();
        }
    }
    void close() {
        const nb::ft_lock_guard guard(mutex_);
        // Threads that are at it, also those that a fork left behind, keep the memory.
        if (ring_) (*ring_)->leave();
        ring_.reset();
    }
    bool is_closed() {
        const nb::ft_lock_guard guard(mutex_);
        return ring_ == nullptr;
    }
    std::shared_ptr<Ring> open() {
        std::shared_ptr<Ring> ring;
        {
            const nb::ft_lock_guard guard(mutex_);
            ring = ring_;
        }
        if (!ring) raise_error("Closed", "the ring was closed");
        return ring;
    }

  private:
    static void put_bytes(Ring& ring, std::span<const std::byte> bytes, const Patience& patience) {
        std::optional<shared::ByteRing::Writing> writing;
        ring.until(true, patience, [&] {
            auto found = ring->try_reserve(bytes.size());
            if (found) writing.emplace(std::move(*found));
            return writing.has_value();
        });
        copy(writing->room(), bytes);
        writing->commit(bytes.size());
    }
    static void read(Ring& ring, const Patience& patience,
                     std::optional<shared::ByteRing::Reading>& reading) {
        ring.until(false, patience, [&] {
            auto found = ring->try_read();
            if (found) reading.emplace(std::move(*found));
            return reading.has_value();
        });
    }
    static nb::bytes take(Ring& ring, const Patience& patience) {
        std::optional<shared::ByteRing::Reading> reading;
        read(ring, patience, reading);
        return to_bytes_and_consume(*reading);
    }
    static nb::bytes to_bytes_and_consume(shared::ByteRing::Reading& reading) {
        nb::bytes message = new_bytes(reading.data().size());
        copy(contents(message), reading.data());
        reading.consume();
        return message;
    }

    nb::ft_mutex mutex_;
    std::shared_ptr<Ring> ring_;
};

template <typename Message>
void define_message(nb::module_& module, const char* name, const char* documentation) {
    static PyType_Slot slots[] = {
        {Py_bf_getbuffer, reinterpret_cast<void*>(Message::get_buffer)},
        {Py_bf_releasebuffer, reinterpret_cast<void*>(Message::release_buffer)},
        {0, nullptr},
    };
    nb::class_<Message>(module, name, nb::type_slots(slots), documentation)
        .def(
            "__enter__", [](nb::handle self) { return nb::cast<Message&>(self).enter(self); },
            nb::sig("def __enter__(self) -> memoryview"))
        .def(
            "__exit__",
            [](Message& self, nb::handle type, nb::handle, nb::handle) { self.exit(type); },
            nb::arg("type").none(), nb::arg("value").none(), nb::arg("traceback").none(),
            nb::sig("def __exit__(self, type: object, value: object, traceback: object) -> None"));
}

void define_ring(nb::module_& module) {
    nb::class_<Handle>(module, "ByteRing",
                       "A ring of messages in shared memory; use dwcp.lockfree.shared.ByteRing.")
        .def(nb::init<const std::optional<std::string>&, std::optional<std::int64_t>,
                      std::optional<int>>(),
             nb::arg("name").none(), nb::arg("capacity").none() = nb::none(),
             nb::arg("fd").none() = nb::none())
        .def("put", &Handle::put, nb::arg("data").none(), "block"_a = true,
             "timeout"_a = nb::none(),
             nb::sig("def put(self, data: dwcp.typing.BufferLike, block: bool = True, "
                     "timeout: float | None = None) -> None"),
             "Put a message of any number of bytes up to the capacity, 0 too, waiting for room.\n\n"
             "Waits for at most `timeout` seconds, and not at all unless `block`. The GIL is\n"
             "released while waiting and for long messages. Raises queue.Full when there was no\n"
             "room in time, ShutDown, PeerLost when the last consumer has died, ValueError for a\n"
             "message that is too long, Closed.")
        .def("try_put", &Handle::try_put, nb::arg("data").none(),
             nb::sig("def try_put(self, data: dwcp.typing.BufferLike) -> bool"),
             "Put a message if there is room and no other producer is at it. Never waits.")
        .def("put_many", &Handle::put_many, nb::arg("items"), "block"_a = true,
             "timeout"_a = nb::none(),
             nb::sig("def put_many(self, items: collections.abc.Iterable[dwcp.typing.BufferLike], "
                     "block: bool = True, timeout: float | None = None) -> int"),
             "Put messages in their order and return how many: fewer than all when the time ran\n"
             "out or shutdown() came. Otherwise raises what put() raises.")
        .def("get", &Handle::get, "block"_a = true, "timeout"_a = nb::none(),
             nb::sig("def get(self, block: bool = True, timeout: float | None = None) -> bytes"),
             "Take the oldest message, waiting for one.\n\n"
             "Raises queue.Empty when none came in time, ShutDown when the ring is empty after\n"
             "shutdown(), PeerLost when it is empty and the last producer has died, Closed.")
        .def("try_get", &Handle::try_get, "default"_a = nb::none(),
             nb::sig("def try_get(self, default: typing.Any = None) -> typing.Any"),
             "Take the oldest message if there is one and no other consumer is at it, else return\n"
             "`default`. Never waits.")
        .def("get_into", &Handle::get_into, nb::arg("out").none(), "block"_a = true,
             "timeout"_a = nb::none(),
             nb::sig("def get_into(self, out: dwcp.typing.BufferLike, block: bool = True, "
                     "timeout: float | None = None) -> int"),
             "Take the oldest message into a writable buffer and return its length in bytes.\n\n"
             "Raises ValueError when it is longer than `out`; it stays then. Else as get().")
        .def("get_many", &Handle::get_many, "max"_a, "block"_a = true, "timeout"_a = nb::none(),
             nb::sig("def get_many(self, max: int, block: bool = True, "
                     "timeout: float | None = None) -> list[bytes]"),
             "Take at most `max` messages (from 1), waiting as get() does for the first.")
        .def(
            "reserve", &Handle::reserve, "size"_a, "block"_a = true, "timeout"_a = nb::none(),
            nb::sig("def reserve(self, size: int, block: bool = True, "
                    "timeout: float | None = None) -> Writing"),
            "A message of `size` bytes to be written in the ring itself: `with ring.reserve(n) as\n"
            "view:`. It is put when the block ends, and dropped when an exception ends it. Other\n"
            "producers wait meanwhile. Raises what put() raises.")
        .def(
            "read", &Handle::read_in_place, "block"_a = true, "timeout"_a = nb::none(),
            nb::sig("def read(self, block: bool = True, timeout: float | None = None) -> Reading"),
            "The oldest message, to be read in the ring itself: `with ring.read() as view:`. It "
            "is\n"
            "taken when the block ends, and stays when an exception ends it. Other consumers wait\n"
            "meanwhile. Raises what get() raises.")
        .def(
            "qsize", [](Handle& self) { return (*self.open())->messages(); },
            "Messages that are there; one too many or too few for each process that was killed in\n"
            "the midst of a call.")
        .def(
            "empty", [](Handle& self) { return (*self.open())->empty(); },
            "Whether there is no message; may be outdated at once.")
        .def(
            "used_bytes", [](Handle& self) { return (*self.open())->used_bytes(); },
            "Bytes in use: of each message its own, rounded up to 8, and 8 more.")
        .def("wait", &Handle::wait, nb::arg("room").none(), "seconds"_a,
             "Wait without putting or taking: for room for a message of `room` bytes, or with None "
             "for\n"
             "a message. False when there was none within so many seconds. Raises what put() and "
             "get()\n"
             "raise but for Full and Empty.")
        .def("shutdown", &Handle::shutdown, "immediate"_a = false,
             "Let nothing more be put, in all processes, and wake all who wait.\n\n"
             "What is there can still be taken; `immediate` drops it.")
        .def("close", &Handle::close,
             "Give the ring up; further calls raise Closed. The name and other handles stay.")
        .def_prop_ro("closed", &Handle::is_closed, "Whether close() was called.")
        .def_prop_ro(
            "is_shut_down", [](Handle& self) { return (*self.open())->is_shut_down(); },
            "Whether shutdown() was called, by anybody.")
        .def_prop_ro(
            "capacity", [](Handle& self) { return (*self.open())->capacity(); },
            "Longest message in bytes.")
        .def(
            "fileno", [](Handle& self) { return (*self.open())->fd(); },
            "Descriptor of the memory; it stays the ring's.");
}

}  // namespace

void init_lockfree_shared(nb::module_& module) {
    define_message<Writing>(module, "Writing", "A message that is being written in its place.");
    define_message<Reading>(module, "Reading", "A message that is being read in its place.");
    define_ring(module);
    module.def(
        "segments",
        [] {
            nb::list found;
            for (const shared::SegmentInfo& segment : shared::segments()) {
                found.append(nb::make_tuple(segment.name, segment.capacity, segment.in_use));
            }
            return found;
        },
        nb::sig("def segments() -> list[tuple[str, int, bool]]"),
        "The caller's rings that have a name: name, capacity in bytes, and whether a process that\n"
        "lives uses it.");
    module.def("remove_stale", shared::remove_stale,
               "Remove the names of the caller's rings that no living process uses; returns them.");
    module.def("unlink", shared::unlink, "name"_a,
               "Remove a name; False when there is none. Those who have the ring keep it.");
}

}  // namespace dwcp::bindings
