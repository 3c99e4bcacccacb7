#include "dirty_tracker.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

LockedTracker::LockedTracker(nb::handle state,
                             const std::optional<std::vector<std::uint64_t>>& offsets,
                             bool exclusive)
    : state_(std::in_place, state, offsets, "state") {
    delta::TrackerOptions options;
    options.exclusive = exclusive;
    nb::gil_scoped_release release;
    tracker_.emplace(state_->parts(), options);
}

void LockedTracker::close() {
    std::optional<State> released;  // by this thread with the GIL, at the end
    nb::gil_scoped_release release;
    const std::lock_guard lock(mutex_);
    tracker_.reset();
    released.swap(state_);
}

namespace {

auto collect(LockedTracker& self) {
    auto regions = self.locked([](delta::DirtyTracker& tracker) { return tracker.collect(); });
    try {
        return to_array<2>(std::move(regions));
    } catch (...) {
        // Nobody was told of them.
        self.locked([](delta::DirtyTracker& tracker) { tracker.mark_all(); });
        throw;
    }
}

std::uint64_t tracked_bytes(LockedTracker& self) {
    return self.locked([](const delta::DirtyTracker& tracker) { return tracker.tracked_bytes(); });
}

}  // namespace

void init_dirty_tracker(nb::module_& module) {
    nb::class_<LockedTracker>(
        module, "DirtyTracker",
        "Tells which pages of a state were written to, so that nobody need look at the others.\n\n"
        "The kernel write-protects the pages and notes the first write to each (userfaultfd(2) in\n"
        "asynchronous mode and PAGEMAP_SCAN: Linux 6.7, no privilege). That write takes about a\n"
        "microsecond longer, and takes transparent huge pages apart. Where it cannot be had,\n"
        "everything counts as written each time, and `reason` says why.\n\n"
        "Seen are writes of all threads of this process, of NumPy, of system calls as read(2) "
        "into\n"
        "the buffers, and of process_vm_writev(2). Not seen are those of devices to memory that "
        "was\n"
        "pinned before, as direct reads that are under way or registered buffers of io_uring: use\n"
        "`mark` for them. After a fork the child's tracker begins anew with everything.\n\n"
        "Calls may come from any thread, one waits for the other; the GIL is released, and all\n"
        "threads may write meanwhile. A context manager that closes at the end.\n"
        "Source: Documentation/admin-guide/mm/pagemap.rst and userfaultfd.rst of Linux.")
        .def(nb::init<nb::handle, const std::optional<std::vector<std::uint64_t>>&, bool>(),
             nb::arg("state"), nb::kw_only(), nb::arg("offsets") = nb::none(),
             nb::arg("exclusive") = false,
             nb::sig("def __init__(self, state: dwcp.typing.BufferLike | "
                     "collections.abc.Sequence[dwcp.typing.BufferLike], *, "
                     "offsets: collections.abc.Sequence[int] | None = None, "
                     "exclusive: bool = False) -> None"),
             "Track a buffer, or buffers at offsets in bytes as for Encoder, and hold them.\n\n"
             "Shared memory and mapped files are not tracked, because others may write to them,\n"
             "unless exclusive says that nobody does but this process through these buffers.\n"
             "Raises TypeError, BufferError and ValueError as Encoder does; what the kernel "
             "refuses\n"
             "is no error, but in `reason`.")
        .def("collect", &collect,
             nb::sig("def collect(self) -> numpy.typing.NDArray[numpy.uint64]"),
             "Ranges that may have been written since the last call, or since the tracker was\n"
             "made.\n\n"
             "Returns an array of shape (n, 2): offset and length in bytes, ascending, disjoint.\n"
             "They are whole pages, and always the edges of the buffers, which share a page with\n"
             "other data. What is read after the call is what they held, or later. Raises Closed.")
        .def(
            "mark",
            [](LockedTracker& self, std::uint64_t offset, std::uint64_t length) {
                self.locked([&](delta::DirtyTracker& tracker) { tracker.mark(offset, length); });
            },
            nb::arg("offset"), nb::arg("length"),
            "Count a range, in bytes, as written.\n\n"
            "Raises ValueError unless it lies within the state, Closed.")
        .def("close", &LockedTracker::close,
             "Let the kernel track the pages no more, and release the buffers; may be called "
             "again.")
        .def(
            "__enter__", [](nb::handle self) { return nb::borrow(self); },
            nb::sig("def __enter__(self) -> DirtyTracker"))
        .def(
            "__exit__", [](LockedTracker& self, nb::args) { self.close(); },
            nb::sig("def __exit__(self, *exc: object) -> None"))
        .def_prop_ro(
            "method",
            [](LockedTracker& self) {
                using Method = delta::DirtyTracker::Method;
                return self.locked([](const delta::DirtyTracker& t) { return t.method(); }) ==
                               Method::kWriteProtect
                           ? "write-protect"
                           : "full-scan";
            },
            nb::sig("def method(self) -> typing.Literal['write-protect', 'full-scan']"),
            "'write-protect', or 'full-scan' where all counts as written each time.")
        .def_prop_ro(
            "reason",
            [](LockedTracker& self) {
                return self.locked([](const delta::DirtyTracker& t) { return t.reason(); });
            },
            "Why not all whole pages are tracked; empty when they are.")
        .def_prop_ro("tracked_bytes", &tracked_bytes,
                     "How much is tracked; what is left counts as written in each call of "
                     "collect.");
}

}  // namespace dwcp::bindings
