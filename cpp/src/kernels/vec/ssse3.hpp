#pragma once

#include "kernels/vec/sse.inl"

namespace dwcp::kernels::vec {
namespace {
#if !defined(__SSSE3__) || defined(__SSE4_1__)
#error "the flags of this tier must allow SSSE3 and nothing above"
#endif
constexpr const char* kCompiledFor = "ssse3";
}  // namespace
}  // namespace dwcp::kernels::vec
