// The one dispatch table: every kernel is a row of DWCP_KERNELS, and that row is all a new kernel
// needs besides its body in a .inl file included by tier.cpp.
//
// Kernels work on raw pointers and sizes: callers have checked all bounds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwcp::kernels {

inline constexpr std::size_t kLineBytes = 64;
inline constexpr std::size_t kPageLines = 64;
inline constexpr std::size_t kPageBytes = kLineBytes * kPageLines;

// X(name, result, (parameters), (arguments))
#define DWCP_KERNELS(X)                                                                            \
    /* out = a ^ b; out may be a or b, any other overlap is not allowed. */                        \
    X(xor_bytes, void,                                                                             \
      (std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::size_t size),         \
      (out, a, b, size))                                                                           \
    /* The same with stores that bypass the caches; out overlaps neither a nor b. */               \
    X(xor_bytes_streaming, void,                                                                   \
      (std::uint8_t* out, const std::uint8_t* a, const std::uint8_t* b, std::size_t size),         \
      (out, a, b, size))                                                                           \
    /* out = data with stores that bypass the caches, for long buffers that do not overlap. */     \
    X(copy_streaming, void, (std::uint8_t* out, const std::uint8_t* data, std::size_t size),       \
      (out, data, size))                                                                           \
    /* The same, and sends the lines of `data` back out of the core's own caches. */               \
    X(copy_demoting, void, (std::uint8_t* out, const std::uint8_t* data, std::size_t size),        \
      (out, data, size))                                                                           \
    /* out = the 64 bytes of `line` over and over. */                                              \
    X(fill_lines, void, (std::uint8_t* out, const std::uint8_t* line, std::size_t size),           \
      (out, line, size))                                                                           \
    /* The same with stores that bypass the caches. */                                             \
    X(fill_streaming, void, (std::uint8_t* out, const std::uint8_t* line, std::size_t size),       \
      (out, line, size))                                                                           \
    /* out = rows of a table by their numbers, with stores that bypass the caches. `size` is that  \
       of `out`; rows have 64 bytes at least. */                                                   \
    X(gather_streaming, void,                                                                      \
      (std::uint8_t* out, const std::uint8_t* table, std::size_t row_bytes,                        \
       const std::int64_t* rows, std::size_t size),                                                \
      (out, table, row_bytes, rows, size))                                                         \
    X(gather_streaming_narrow, void,                                                               \
      (std::uint8_t* out, const std::uint8_t* table, std::size_t row_bytes,                        \
       const std::int32_t* rows, std::size_t size),                                                \
      (out, table, row_bytes, rows, size))                                                         \
    /* Compares `lines` lines of 64 bytes. masks[p] gets one bit for each changed line of page     \
       p (the last page may be partial); the XOR of the changed lines is packed into `packed`,     \
       which holds `lines` lines. Returns how many lines changed. */                               \
    X(scan, std::size_t,                                                                           \
      (const std::uint8_t* current, const std::uint8_t* previous, std::size_t lines,               \
       std::uint64_t* masks, std::uint8_t* packed),                                                \
      (current, previous, lines, masks, packed))                                                   \
    /* The same, and brings `previous` up to date in the pass. Each byte of `current` that is      \
       used is read once into a register that feeds both the XOR and the update, so the two        \
       agree even while another thread writes to `current`. */                                     \
    X(scan_update, std::size_t,                                                                    \
      (const std::uint8_t* current, std::uint8_t* previous, std::size_t lines,                     \
       std::uint64_t* masks, std::uint8_t* packed),                                                \
      (current, previous, lines, masks, packed))                                                   \
    /* masks[i] gets one bit for each byte of line i that is not zero. */                          \
    X(nonzero_masks, void, (const std::uint8_t* packed, std::size_t lines, std::uint64_t* masks),  \
      (packed, lines, masks))                                                                      \
    /* CRC registers without initial and final inversion. */                                       \
    X(crc32, std::uint32_t, (std::uint32_t state, const std::uint8_t* data, std::size_t size),     \
      (state, data, size))                                                                         \
    X(crc32c, std::uint32_t, (std::uint32_t state, const std::uint8_t* data, std::size_t size),    \
      (state, data, size))                                                                         \
    X(crc64nvme, std::uint64_t, (std::uint64_t state, const std::uint8_t* data, std::size_t size), \
      (state, data, size))                                                                         \
    /* crc32 and crc32c in the form that they take on processors whose carry-less multiplication   \
       leaves every other cycle only: rows of their own, to be tested on any processor. */         \
    X(crc32_slow_multiply, std::uint32_t,                                                          \
      (std::uint32_t state, const std::uint8_t* data, std::size_t size), (state, data, size))      \
    X(crc32c_slow_multiply, std::uint32_t,                                                         \
      (std::uint32_t state, const std::uint8_t* data, std::size_t size), (state, data, size))      \
    /* Products of two residues modulo the polynomials, bit-reflected registers. */                \
    X(crc32_multiply, std::uint32_t, (std::uint32_t a, std::uint32_t b), (a, b))                   \
    X(crc32c_multiply, std::uint32_t, (std::uint32_t a, std::uint32_t b), (a, b))                  \
    X(crc64nvme_multiply, std::uint64_t, (std::uint64_t a, std::uint64_t b), (a, b))               \
    /* RFC 1950: the low half sums bytes, the high half those sums, both modulo 65521. */          \
    X(adler32, std::uint32_t, (std::uint32_t state, const std::uint8_t* data, std::size_t size),   \
      (state, data, size))                                                                         \
    /* Fletcher-32 over little-endian words of 16 bits: the low half sums words, the high half     \
       those sums, both modulo 65535; an odd last byte counts as a word with a high byte of 0. */  \
    X(fletcher32, std::uint32_t,                                                                   \
      (std::uint32_t state, const std::uint8_t* data, std::size_t size), (state, data, size))      \
    /* libxxhash, compiled for the tier; a state is an XXH3_state_t, an XXH32_state_t. */          \
    X(xxh32, std::uint32_t, (std::uint32_t seed, const std::uint8_t* data, std::size_t size),      \
      (seed, data, size))                                                                          \
    X(xxh3_64, std::uint64_t, (std::uint64_t seed, const std::uint8_t* data, std::size_t size),    \
      (seed, data, size))                                                                          \
    X(xxh3_128, void,                                                                              \
      (std::uint64_t seed, const std::uint8_t* data, std::size_t size, std::uint64_t* low_high),   \
      (seed, data, size, low_high))                                                                \
    X(xxh3_64_update, void, (void* state, const std::uint8_t* data, std::size_t size),             \
      (state, data, size))                                                                         \
    X(xxh3_128_update, void, (void* state, const std::uint8_t* data, std::size_t size),            \
      (state, data, size))                                                                         \
    /* Positions in [first, last), first at least 32, whose gear hash is below `threshold`: their  \
       distances from `first`, ascending, and their hashes. Both outputs hold last - first.        \
       Returns how many there are. */                                                              \
    X(gear_hits, std::size_t,                                                                      \
      (const std::uint8_t* data, std::size_t first, std::size_t last, std::uint32_t threshold,     \
       std::uint32_t* offsets, std::uint32_t* hashes),                                             \
      (data, first, last, threshold, offsets, hashes))

struct Table {
    // Name of the instruction set that the compiler really generated code for, taken from its
    // predefined macros and not from the build system.
    const char* compiled_for;
    // Whether there are stores that bypass the caches.
    bool bypasses_caches;
#define DWCP_KERNEL_MEMBER(name, result, parameters, arguments) result(*name) parameters;
    DWCP_KERNELS(DWCP_KERNEL_MEMBER)
#undef DWCP_KERNEL_MEMBER
};

}  // namespace dwcp::kernels
