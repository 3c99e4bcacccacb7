"""Arrays in memory of a pool cause no page faults, which fresh ones do again and again."""

import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from dwcp.memory import BufferPool, SlabAllocator, ThreadLocalPool, numpy_allocator

ROUNDS = 50
ARRAYS = 4
ARRAY_BYTES = 1_000_000
PAGES = ROUNDS * ARRAYS * (ARRAY_BYTES // resource.getpagesize())


def make_and_drop() -> None:
    for _ in range(ROUNDS):
        group = [np.full(ARRAY_BYTES, value, np.uint8) for value in range(ARRAYS)]
        del group


def faults_of_arrays(pool: BufferPool | None) -> int:
    """Page faults of the loop, once warm."""
    with numpy_allocator(pool) if pool is not None else nullcontext():
        make_and_drop()
        before = faults()
        make_and_drop()
        return faults() - before


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_arrays_of_a_megabyte_cause_a_twentieth_of_the_page_faults_at_most() -> None:
    # In a process of its own: what the C library keeps of memory depends on what was freed before.
    script = (
        "from tests.memory.test_page_faults import BufferPool, faults_of_arrays\n"
        "print(faults_of_arrays(None), faults_of_arrays(BufferPool()))"
    )
    command, root = [sys.executable, "-c", script], Path(__file__).parents[2]
    output = subprocess.run(command, cwd=root, capture_output=True, check=True, timeout=120).stdout
    fresh, pooled = (int(number) for number in output.split())
    assert fresh > PAGES / 3
    assert pooled <= 0.05 * fresh


def test_buffers_that_are_written_to_cause_no_page_faults_once_warm() -> None:
    pool, slabs, local = BufferPool(), SlabAllocator(ARRAY_BYTES, 2), ThreadLocalPool(ARRAY_BYTES)

    def use() -> None:
        for _ in range(ROUNDS):
            for buffer in (pool.get(ARRAY_BYTES), slabs.get(), local.get()):
                with buffer:
                    np.asarray(buffer).fill(1)

    use()
    before = faults()
    use()
    assert faults() - before < PAGES / 100
