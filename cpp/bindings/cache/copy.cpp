#include "dwcp/cache/copy.hpp"

#include "cache/parts.hpp"
#include "errors.hpp"
#include "fastcall.hpp"
#include "integers.hpp"

namespace dwcp::bindings::cache_parts {

namespace {

using cache::Stores;
using fastcall::View;

// memcpy and memset take a few microseconds for so many bytes, of which handing over the GIL would
// be a noticeable part.
constexpr std::size_t kReleaseBytes = std::size_t{256} << 10;
static_assert(kReleaseBytes >= kReleaseBytesMin, "shorter views are only looked into");

template <typename Work>
void without_gil_if_long(std::size_t size, Work&& work) {
    without_gil(size < kReleaseBytes ? 0 : size, work);
}

// nullptr: not given. False with TypeError set unless it is a bool.
bool to_bool(PyObject* object, const char* argument, bool& value) noexcept {
    if (object == nullptr) return true;
    if (object != Py_True && object != Py_False) {
        PyErr_Format(PyExc_TypeError, "%s must be True or False, not %R", argument, object);
        return false;
    }
    value = object == Py_True;
    return true;
}

bool to_stores(PyObject* object, Stores& stores) noexcept {
    if (object == nullptr || object == Py_None) return true;
    bool nontemporal = false;
    if (!to_bool(object, "nontemporal", nontemporal)) return false;
    stores = nontemporal ? Stores::kNontemporal : Stores::kOrdinary;
    return true;
}

constexpr const char* kCopyNames[] = {"dst", "src", "nontemporal", "demote"};
constexpr fastcall::Parameters kCopyParameters = {"copy", kCopyNames, 2};

PyObject* copy(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count,
               PyObject* keywords) noexcept {
    PyObject* bound[4] = {nullptr, nullptr, nullptr, nullptr};
    if (count == 2 && keywords == nullptr) {
        bound[0] = arguments[0];
        bound[1] = arguments[1];
    } else if (!fastcall::bind(kCopyParameters, arguments, count, keywords, bound)) {
        return nullptr;
    }
    Stores stores = Stores::kBySize;
    bool demote = false;
    if (!to_stores(bound[2], stores) || !to_bool(bound[3], "demote", demote)) return nullptr;
    View dst;
    View src;
    if (!dst.acquire<true>(bound[0], "dst") || !src.acquire(bound[1], "src")) return nullptr;
    // Acquiring src may have run Python code.
    if (src.held() && !dst.refresh<true>(bound[0], "dst")) return nullptr;
    try {
        without_gil_if_long(
            src.size(), [&] { cache::copy(dst.writable_bytes(), src.bytes(), stores, demote); });
    } catch (...) {
        return set_error();
    }
    Py_RETURN_NONE;
}

constexpr const char* kFillNames[] = {"dst", "value", "nontemporal"};
constexpr fastcall::Parameters kFillParameters = {"fill", kFillNames, 2};

PyObject* fill_with_byte(PyObject* object, PyObject* number, Stores stores) noexcept {
    std::uint64_t value = 0;
    View dst;
    // In this order: converting the number may run Python code.
    if (!to_bounded(number, "value", 255, value) || !dst.acquire<true>(object, "dst")) {
        return nullptr;
    }
    const auto byte = static_cast<std::byte>(value);
    without_gil_if_long(dst.size(), [&] { cache::fill(dst.writable_bytes(), byte, stores); });
    Py_RETURN_NONE;
}

PyObject* fill_with_pattern(PyObject* object, PyObject* value, Stores stores) noexcept {
    View dst;
    View pattern;
    if (!dst.acquire<true>(object, "dst") || !pattern.acquire(value, "value")) return nullptr;
    if (pattern.held() && !dst.refresh<true>(object, "dst")) return nullptr;
    // Whatever the length of the pattern: that of dst decides about the GIL.
    if (dst.held() && !pattern.keep(value, "value")) return nullptr;
    try {
        without_gil_if_long(dst.size(),
                            [&] { cache::fill(dst.writable_bytes(), pattern.bytes(), stores); });
    } catch (...) {
        return set_error();
    }
    Py_RETURN_NONE;
}

PyObject* fill(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count,
               PyObject* keywords) noexcept {
    PyObject* bound[3] = {nullptr, nullptr, nullptr};
    if (!fastcall::bind(kFillParameters, arguments, count, keywords, bound)) return nullptr;
    Stores stores = Stores::kBySize;
    if (!to_stores(bound[2], stores)) return nullptr;
    if (PyIndex_Check(bound[1]) == 0 && PyObject_CheckBuffer(bound[1]) != 0) {
        return fill_with_pattern(bound[0], bound[1], stores);
    }
    return fill_with_byte(bound[0], bound[1], stores);
}

PyMethodDef methods[] = {
    fastcall::method(
        "copy", &copy,
        "copy($module, /, dst, src, nontemporal=None, demote=False)\n--\n\n"
        "Copy the bytes of src to dst, past the caches where the two exceed them.\n\n"
        "Both are C-contiguous buffers of equal length. nontemporal is whether the stores go past\n"
        "the caches: None for twice the length from nontemporal_bytes_min() on, and as memcpy\n"
        "does below. demote sends what was read back out of the caches of the core, so that other\n"
        "data stay there; the copy takes about twice as long. It does nothing unless\n"
        "can_demote(). dst may be src exactly, and then nothing is done; any other overlap is\n"
        "refused. May be called from any thread; the GIL is released from 256 KiB on. Raises\n"
        "ValueError for other lengths, an overlap, and demote with nontemporal=False; TypeError\n"
        "or BufferError when an argument is no C-contiguous (dst: and writable) buffer."),
    fastcall::method(
        "fill", &fill,
        "fill($module, /, dst, value, nontemporal=None)\n--\n\n"
        "Fill dst with a byte or a pattern, past the caches where it exceeds them.\n\n"
        "value is an int from 0 to 255, for each byte, or a buffer of 1, 2, 4, 8, 16, 32 or 64\n"
        "bytes that is repeated, such as numpy.float32(1.5). nontemporal is whether the stores go\n"
        "past the caches: None for a length from nontemporal_bytes_min() on. May be called from\n"
        "any thread; the GIL is released from 256 KiB on. Raises ValueError for another value and\n"
        "for a dst that is no multiple of the pattern; TypeError or BufferError when dst is no\n"
        "writable C-contiguous buffer."),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void add_copies(nb::module_& module) {
    fastcall::add(module, methods);
}

}  // namespace dwcp::bindings::cache_parts
