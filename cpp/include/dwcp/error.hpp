// Errors that dwcp throws. System-call failures are std::system_error with the errno and a message
// that says what to do; wrong arguments are std::invalid_argument.
#pragma once

#include <stdexcept>

namespace dwcp {

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The bytes are not a delta, or a damaged one. Nothing was written.
struct CorruptDelta : Error {
    using Error::Error;
};

// The delta was made for a state of another length or with other contents. Nothing was written.
struct WrongBase : Error {
    using Error::Error;
};

// The delta needs a newer version of dwcp.
struct Unsupported : Error {
    using Error::Error;
};

// The file was modified, truncated or extended while it was read; try again.
struct SourceChanged : Error {
    using Error::Error;
};

// The object was closed before.
struct Closed : Error {
    using Error::Error;
};

}  // namespace dwcp
