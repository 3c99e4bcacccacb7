#include "dwcp/error.hpp"

#include <system_error>

#include "dwcp/lockfree/shared/segment.hpp"

#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

// The classes live in dwcp.errors, where their bases can be Python's own.
void raise(const char* name, const char* what) {
    try {
        const nb::object type = nb::module_::import_("dwcp.errors").attr(name);
        PyErr_SetString(type.ptr(), what);
    } catch (nb::python_error& error) {
        error.restore();
    }
}

void translate(const std::exception_ptr& pointer, void*) {
    try {
        std::rethrow_exception(pointer);
    } catch (const CorruptDelta& error) {
        raise("CorruptDelta", error.what());
    } catch (const WrongBase& error) {
        raise("WrongBase", error.what());
    } catch (const Unsupported& error) {
        raise("Unsupported", error.what());
    } catch (const SourceChanged& error) {
        raise("SourceChanged", error.what());
    } catch (const lockfree::shared::CorruptSegment& error) {
        raise("CorruptFrame", error.what());
    } catch (const Error& error) {
        raise("Error", error.what());
    } catch (const std::system_error& error) {
        // Two arguments make OSError choose its subclass by errno.
        const nb::object arguments = nb::make_tuple(error.code().value(), error.what());
        PyErr_SetObject(PyExc_OSError, arguments.ptr());
    }
}

}  // namespace

void init_errors(nb::module_&) {
    nb::register_exception_translator(translate);
}

}  // namespace dwcp::bindings
