"""Pairs of states with changes of different kinds."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

MODES = ["auto", "raw", "lines-xor", "lines-new", "runs"]
CODECS = ["none", "lz4", "zstd"]

State = NDArray[np.uint8]

KINDS = ["none", "bytes", "runs", "lines", "pages", "all", "constant", "head", "tail"]


def pair(length: int, kind: str, seed: int) -> tuple[State, State]:
    """The current and the previous state."""
    rng = np.random.default_rng([length, KINDS.index(kind), seed])
    previous = rng.integers(0, 256, length, dtype=np.uint8)
    if seed % 3 == 0:
        previous[:] = previous // 64  # compressible
    current = previous.copy()
    if length == 0:
        return current, previous

    def scramble(start: int, count: int) -> None:
        part = current[start : start + count]
        part[:] = rng.integers(0, 256, len(part), dtype=np.uint8)

    units = {"bytes": 1, "runs": 23, "lines": 64, "pages": 4096}
    if kind in units:
        for start in rng.integers(0, length, max(1, length // (units[kind] * 50))):
            scramble(int(start), units[kind])
    elif kind == "all":
        scramble(0, length)
    elif kind == "constant":
        current[:] = seed & 0xFF
    elif kind == "head":
        scramble(0, 3)
    elif kind == "tail":
        scramble(length - 1, 1)
    return current, previous


lengths = st.one_of(
    st.integers(0, 300),
    st.sampled_from([4032, 4095, 4096, 4097, 8191, 8192, 8193, 12_345, 65_536, 70_001]),
)
pairs = st.builds(pair, lengths, st.sampled_from(KINDS), st.integers(0, 50))
