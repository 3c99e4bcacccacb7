// C++ errors of dwcp as Python exceptions.
#pragma once

#include <nanobind/nanobind.h>

#include <exception>

namespace dwcp::bindings {

// Sets dwcp.<name>, or what hinders that.
void set_dwcp_error(const char* name, const char* text) noexcept;

// Sets the exception for an error of dwcp or of a system call; throws any other error again. What
// nanobind calls for functions that are bound by it.
void translate_error(const std::exception_ptr& pointer, void* unused);

// nullptr, with the Python exception for the C++ one that is being handled.
PyObject* set_error() noexcept;

}  // namespace dwcp::bindings
