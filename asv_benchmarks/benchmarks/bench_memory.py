"""Pools from Python beside fresh memory: bytearray, numpy.empty, mmap.

Fresh memory of the larger sizes has no pages yet; as whoever gets it will write to it, those that
make it also touch each page. Memory of the pool has its pages.
"""

import mmap
import subprocess
import sys
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dwcp.memory import BufferPool, SlabAllocator, ThreadLocalPool, numpy_allocator

from .contestants import Contest, Running

PAGE_BYTES = mmap.PAGESIZE
SIZES = [64, 1024, 64 << 10, 1 << 20]


class Pooled(Running):
    """A buffer got and put, over and over."""

    def __init__(self, size: int) -> None:
        self.pool, self.size = BufferPool(), size

    def run(self, count: int) -> None:
        get, put, size = self.pool.get, self.pool.put, self.size
        for _ in repeat(None, count):
            put(get(size))


class PooledBlock(Pooled):
    """The same by a `with` block."""

    def run(self, count: int) -> None:
        get, size = self.pool.get, self.size
        for _ in repeat(None, count):
            with get(size):
                pass


class PooledArray(Pooled):
    """The same, seen as a NumPy array."""

    def run(self, count: int) -> None:
        get, size, asarray = self.pool.get, self.size, np.asarray
        for _ in repeat(None, count):
            asarray(get(size))


class OfOneSize(Running):
    """A buffer of a pool of its size got and put, over and over."""

    def __init__(self, pool: SlabAllocator | ThreadLocalPool) -> None:
        self.pool = pool

    def run(self, count: int) -> None:
        get, put = self.pool.get, self.pool.put
        for _ in repeat(None, count):
            put(get())


class Fresh(Running):
    """Memory made and dropped, with its pages touched."""

    def __init__(self, make: Callable[[int], Any], size: int) -> None:
        self.make, self.size = make, size

    def run(self, count: int) -> None:
        make, size = self.make, self.size
        for _ in repeat(None, count):
            make(size)


def touched(size: int) -> Any:
    array = np.empty(size, np.uint8)
    if size >= PAGE_BYTES:
        array[::PAGE_BYTES] = 1
    return array


def mapped(size: int) -> Any:
    memory = mmap.mmap(-1, size)
    np.frombuffer(memory, np.uint8)[::PAGE_BYTES] = 1
    return memory


MAKE: dict[str, Callable[[int], Running]] = {
    "dwcp": Pooled,
    "dwcp_with": PooledBlock,
    "dwcp_array": PooledArray,
    "dwcp_slab": lambda size: OfOneSize(SlabAllocator(size, max(1, (2 << 20) // size))),
    "dwcp_thread_local": lambda size: OfOneSize(ThreadLocalPool(size)),
    "bytearray": lambda size: Fresh(bytearray, size),
    "numpy_empty": lambda size: Fresh(touched, size),
    "mmap": lambda size: Fresh(mapped, size),
}


class GetPut(Contest):
    """A buffer got and given back by one thread."""

    contestants = tuple(MAKE)
    params: ClassVar = (SIZES,)
    param_names = ("size",)
    item = "buffer"
    count = 64

    def setup(self, size: int) -> None:
        self.running = {name: make(size) for name, make in MAKE.items()}


class NewArrays(Running):
    """Arrays made, filled and dropped."""

    def __init__(self, size: int) -> None:
        self.size = size

    def run(self, count: int) -> None:
        size = self.size
        for _ in repeat(None, count):
            np.empty(size, np.uint8).fill(1)


class Pooled(Running):
    """What stands behind it among the bases, in the memory of a pool."""

    def __init__(self, size: int) -> None:
        super().__init__(size)  # type: ignore[call-arg]
        self.pool = BufferPool()

    def run(self, count: int) -> None:
        with numpy_allocator(self.pool):
            super().run(count)


class PooledArrays(Pooled, NewArrays):
    """The same in the memory of a pool."""


class Arrays(Contest):
    """A NumPy array made, filled, and dropped."""

    contestants = ("dwcp", "numpy")
    params: ClassVar = ([1 << 20, 4 << 20, 32 << 20],)
    param_names = ("size",)
    item = "array"
    count = 32

    def setup(self, size: int) -> None:
        self.running = {"dwcp": PooledArrays(size), "numpy": NewArrays(size)}


class NewGroups(Running):
    """Some arrays made and filled, and dropped together, as an expression leaves them."""

    arrays = 4

    def __init__(self, size: int) -> None:
        self.size = size

    def run(self, count: int) -> None:
        size, arrays = self.size, range(self.arrays)
        for _ in repeat(None, count):
            group = [np.full(size, value, np.uint8) for value in arrays]
            del group


class PooledGroups(Pooled, NewGroups):
    """The same in the memory of a pool."""


def faults(contestant: type[NewGroups], size: int) -> int:
    """Page faults of 32 groups, once warm, in a new process.

    What the C library keeps of memory depends on what was freed before.
    """
    script = (
        "import resource\n"
        f"from benchmarks.bench_memory import {contestant.__name__}\n"
        f"running = {contestant.__name__}({size})\n"
        "running.run(32)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "running.run(32)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    command = [sys.executable, "-c", script]
    folder = Path(__file__).parents[1]
    return int(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)


class Groups(Contest):
    """Four NumPy arrays made, filled and dropped together; page faults of 32 such groups."""

    contestants = ("dwcp", "numpy")
    params: ClassVar = ([1_000_000, 1 << 20, 4 << 20],)
    param_names = ("size",)
    item = "group"
    count = 32

    def setup(self, size: int) -> None:
        self.running = {"dwcp": PooledGroups(size), "numpy": NewGroups(size)}

    def track_faults_dwcp(self, size: int) -> int:
        return faults(PooledGroups, size)

    def track_faults_numpy(self, size: int) -> int:
        return faults(NewGroups, size)
