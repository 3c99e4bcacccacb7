// Instruction sets: which the processor has, which is active, forcing one.
//
// The best supported one is chosen when the program starts; the environment variable DWCP_ISA
// names another. All functions may be called from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::isa {

// Instruction sets in this build, from the most portable to the most capable.
std::vector<std::string> built();

// Those of built() that this processor and operating system can run.
std::vector<std::string> available();

// The one that kernels run on now.
std::string active();

// The one that the active kernels were compiled for, as the compiler's own macros said.
std::string compiled_for();

// Switches all kernels, for all threads, to `name`.
// Throws std::invalid_argument listing the choices when it is unknown or not supported here.
void force(std::string_view name);

// Applies DWCP_ISA when it is set and not empty; throws as force() does.
void apply_environment();

// For tests that prove which instruction set did the work: with counting on, calls of kernels are
// counted, at a cost per call.
void count_calls(bool on);
std::uint64_t counted_calls(std::string_view name);

}  // namespace dwcp::isa
