#include "errors.hpp"

#include <new>
#include <stdexcept>
#include <system_error>

#include "dwcp/error.hpp"
#include "dwcp/lockfree/shared/segment.hpp"
#include "dwcp/memory/errors.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

// The classes live in dwcp.errors, where their bases can be Python's own.
void set_dwcp_error(const char* name, const char* text) noexcept {
    try {
        const nb::object type = nb::module_::import_("dwcp.errors").attr(name);
        PyErr_SetString(type.ptr(), text);
    } catch (nb::python_error& error) {
        error.restore();
    }
}

void translate_error(const std::exception_ptr& pointer, void*) {
    try {
        std::rethrow_exception(pointer);
    } catch (const CorruptDelta& error) {
        set_dwcp_error("CorruptDelta", error.what());
    } catch (const WrongBase& error) {
        set_dwcp_error("WrongBase", error.what());
    } catch (const Unsupported& error) {
        set_dwcp_error("Unsupported", error.what());
    } catch (const SourceChanged& error) {
        set_dwcp_error("SourceChanged", error.what());
    } catch (const Closed& error) {
        set_dwcp_error("Closed", error.what());
    } catch (const lockfree::shared::CorruptSegment& error) {
        set_dwcp_error("CorruptFrame", error.what());
    } catch (const Error& error) {
        set_dwcp_error("Error", error.what());
    } catch (const std::system_error& error) {
        // Two arguments make OSError choose its subclass by errno.
        const nb::object arguments = nb::make_tuple(error.code().value(), error.what());
        PyErr_SetObject(PyExc_OSError, arguments.ptr());
    }
}

PyObject* set_error() noexcept {
    try {
        translate_error(std::current_exception(), nullptr);
    } catch (nb::python_error& error) {
        error.restore();
    } catch (const memory::PoolExhausted& error) {
        PyErr_SetString(PyExc_MemoryError, error.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::invalid_argument& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
}

void init_errors(nb::module_&) {
    nb::register_exception_translator(translate_error);
}

}  // namespace dwcp::bindings
