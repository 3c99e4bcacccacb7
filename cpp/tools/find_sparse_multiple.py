"""Finds the sparse multiple of the CRC-32 polynomial for crc_sparse.inl; writes its header.

    python cpp/tools/find_sparse_multiple.py [--check]

A sum of five powers of x^512, x^0 among them, that is a multiple of the polynomial; of all those,
the one with the smallest greatest exponent. With y = x^512 modulo the polynomial that is

    1 + y^a + y^b = y^c + y^d,

so the sums of two powers are put into a table, and those are looked up that differ by 1. About
2^32 sets of exponents must be tried before one can be expected to fit, which four exponents below
about 600 are.
"""

import argparse
import sys
from pathlib import Path

POLYNOMIAL = 0xEDB88320  # CRC-32 (IEEE 802.3), bit-reflected: bit i is the coefficient of x^(31-i)
ONE = 1 << 31
STEP_BITS = 512
EXPONENT_MAX = 600
HEADER = Path(__file__).parents[1] / "src/kernels/crc_sparse_constants.hpp"

TEMPLATE = """\
// Written by cpp/tools/find_sparse_multiple.py: a multiple of the CRC-32 polynomial with five
// terms, all of them powers of x^512.
#pragma once

namespace dwcp::kernels {{
namespace {{

// 1 + x^(512*{0}) + x^(512*{1}) + x^(512*{2}) + x^(512*{3})
constexpr unsigned kSparseExponents[4] = {{{0}, {1}, {2}, {3}}};

}}  // namespace
}}  // namespace dwcp::kernels
"""


def times_x(residue: int) -> int:
    """The residue times x."""
    return (residue >> 1) ^ (POLYNOMIAL if residue & 1 else 0)


def powers_of_step() -> list[int]:
    """x^(512 n) modulo the polynomial, for n from 0 to EXPONENT_MAX."""
    powers = [ONE]
    residue = ONE
    for _ in range(EXPONENT_MAX):
        for _ in range(STEP_BITS):
            residue = times_x(residue)
        powers.append(residue)
    return powers


def find_exponents() -> tuple[int, ...]:
    """The exponents besides 0, ascending."""
    powers = powers_of_step()
    pairs: dict[int, list[tuple[int, int]]] = {}
    for greatest in range(1, EXPONENT_MAX + 1):
        # All lower pairs are in the table: what is found first has the smallest exponents.
        for other in range(1, greatest):
            key = powers[greatest] ^ powers[other]
            for pair in pairs.get(key ^ ONE, ()):
                exponents = {greatest, other, *pair}
                if len(exponents) == 4:
                    return tuple(sorted(exponents))
        for other in range(1, greatest):
            pairs.setdefault(powers[greatest] ^ powers[other], []).append((other, greatest))
    raise SystemExit(f"no multiple with five terms has exponents up to {EXPONENT_MAX}")


def main() -> None:
    """Write the header, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail unless the header is up to date")
    options = parser.parse_args()
    text = TEMPLATE.format(*find_exponents())
    if not options.check:
        HEADER.write_text(text)
    elif HEADER.read_text() != text:
        sys.exit(f"{HEADER.name} is not what this script writes")


if __name__ == "__main__":
    main()
