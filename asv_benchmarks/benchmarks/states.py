"""States to measure on: real ones where the figure is about real data."""

import functools
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dwcp.cli.workload import Workload

State = NDArray[np.uint8]
MIB = 1 << 20


def random_state(length: int) -> State:
    return np.random.default_rng(0).integers(0, 256, length, dtype=np.uint8)


def with_changed_lines(state: State, share: float) -> State:
    """A copy in which one byte of that share of all 64-byte lines differs."""
    lines = len(state) // 64
    changed = np.random.default_rng(1).choice(lines, int(lines * share), replace=False)
    copy = state.copy()
    copy[changed * 64] ^= 1
    return copy


@functools.cache
def sqlite_states() -> tuple[State, State]:
    """The demo's database of 64 MB after and before 20 transactions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        workload = Workload(path, 64_000_000, transactions=40)
        workload.batch(20)
        previous = np.fromfile(path, dtype=np.uint8)
        workload.batch(20)
        current = np.fromfile(path, dtype=np.uint8)
        workload.close()
    if len(current) != len(previous):
        raise RuntimeError("the database grew: no two states of equal length")
    return current, previous
