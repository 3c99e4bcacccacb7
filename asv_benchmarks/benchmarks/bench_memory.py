"""The buffer pool from Python beside fresh memory: bytearray, numpy.empty, mmap.

Fresh memory of the larger sizes has no pages yet; as whoever gets it will write to it, those that
make it also touch each page. Memory of the pool has its pages.
"""

import mmap
from collections.abc import Callable
from itertools import repeat
from typing import Any, ClassVar

import numpy as np

from dwcp.memory import BufferPool, numpy_allocator

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


class PooledArrays(NewArrays):
    """The same in the memory of a pool."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.pool = BufferPool()

    def run(self, count: int) -> None:
        with numpy_allocator(self.pool):
            super().run(count)


class Arrays(Contest):
    """A NumPy array made, filled, and dropped."""

    contestants = ("dwcp", "numpy")
    params: ClassVar = ([1 << 20, 4 << 20, 32 << 20],)
    param_names = ("size",)
    item = "array"
    count = 32

    def setup(self, size: int) -> None:
        self.running = {"dwcp": PooledArrays(size), "numpy": NewArrays(size)}
