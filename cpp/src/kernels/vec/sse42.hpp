#pragma once

#include "kernels/vec/clmul_x86.hpp"
#include "kernels/vec/sse.inl"

namespace dwcp::kernels::vec {
namespace {
#if !defined(__SSE4_2__) || !defined(__PCLMUL__) || defined(__AVX__)
#error "the flags of this tier must allow SSE4.2 with PCLMULQDQ and nothing above"
#endif
constexpr const char* kCompiledFor = "sse42";
}  // namespace
}  // namespace dwcp::kernels::vec
