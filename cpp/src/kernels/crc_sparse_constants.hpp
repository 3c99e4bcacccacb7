// Written by cpp/tools/find_sparse_multiple.py: a multiple of the CRC-32 polynomial with five
// terms, all of them powers of x^512.
#pragma once

namespace dwcp::kernels {
namespace {

// 1 + x^(512*89) + x^(512*117) + x^(512*155) + x^(512*300)
constexpr unsigned kSparseExponents[4] = {89, 117, 155, 300};

}  // namespace
}  // namespace dwcp::kernels
