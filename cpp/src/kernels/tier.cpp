// Compiled once per instruction set, with DWCP_TIER and DWCP_TIER_HEADER from cpp/cmake/isa.cmake.
//
// Everything here is static and no standard library code is instantiated: an inline function
// compiled with, say, AVX-512 flags is a weak symbol that the linker may choose for every caller,
// which then dies on older processors. The object exports the table and nothing else;
// ci/check-kernel-symbols fails otherwise.
#include "kernels/table.hpp"

// All of it static, and so compiled with the vectors of this tier.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include DWCP_TIER_HEADER

#include "kernels/crc_constants.hpp"
#include "kernels/crc_sparse_constants.hpp"
#include "kernels/gear.hpp"

namespace dwcp::kernels {
namespace {

#include "kernels/chunks.inl"
#include "kernels/crc_table.inl"
#include "kernels/lines.inl"
#if defined(DWCP_VEC_CLMUL)
#include "kernels/crc_fold.inl"
#if defined(DWCP_VEC_WIDE_CLMUL)
#include "kernels/crc_fold_wide.inl"
#include "kernels/crc_sparse.inl"
#endif
#include "kernels/crc_fused.inl"
#endif
#include "kernels/copy.inl"
#include "kernels/crc.inl"
#include "kernels/scan.inl"
#include "kernels/sums.inl"
#include "kernels/xor.inl"
#include "kernels/xxh.inl"

}  // namespace

#define DWCP_CONCAT_(a, b) a##b
#define DWCP_CONCAT(a, b) DWCP_CONCAT_(a, b)

extern const Table DWCP_CONCAT(table_, DWCP_TIER);
const Table DWCP_CONCAT(table_, DWCP_TIER) = {vec::kCompiledFor, kBypassesCaches,
#define DWCP_KERNEL_POINTER(name, result, parameters, arguments) name,
                                              DWCP_KERNELS(DWCP_KERNEL_POINTER)
#undef DWCP_KERNEL_POINTER
};

}  // namespace dwcp::kernels
