"""Memory that is used again instead of being allocated.

`BufferPool` keeps memory in 15 classes of 64 bytes to 1 MiB, with a cache for each thread, and
hands it out as `Buffer` objects: writable buffers for memoryview, NumPy, readinto and sockets.
`SlabAllocator` packs many objects of one size, and `ThreadLocalPool` keeps buffers of one size with
the thread that uses them. `huge_pages.allocate` and `numa.allocate` take memory straight from the
kernel, on huge pages and on chosen nodes. `numpy_allocator` lets new NumPy arrays use a pool.

>>> pool = BufferPool()
>>> with pool.get(1000) as buffer:
...     len(buffer), buffer.capacity
(1000, 1024)
"""

from dataclasses import dataclass

from dwcp._core.memory import Buffer, BufferPool, SlabAllocator, ThreadLocalPool

from . import huge_pages, numa
from ._numpy_allocator import numpy_allocator
from .huge_pages import PlacedMemory

__all__ = [
    "Buffer",
    "BufferPool",
    "PlacedMemory",
    "PoolCounts",
    "PoolStats",
    "SlabAllocator",
    "SlabStats",
    "ThreadLocalPool",
    "huge_pages",
    "numa",
    "numpy_allocator",
]


@dataclass(frozen=True)
class PoolCounts:
    """What happened in a pool, or in one class of it; exact."""

    allocations: int
    """Buffers got."""
    deallocations: int
    """Buffers given back."""
    misses: int
    """Allocations for which new memory was made; the others are hits."""
    bytes_held: int
    """Memory from the kernel, in use or not, in bytes."""
    bytes_held_max: int
    """The most that was held at one time, in bytes."""

    @property
    def hits(self) -> int:
        """Allocations for which there was memory."""
        return self.allocations - self.misses

    @property
    def hit_rate(self) -> float:
        """Part of the allocations that were hits, from 0 to 1; 0 when there were none."""
        return self.hits / self.allocations if self.allocations else 0.0


@dataclass(frozen=True)
class PoolStats:
    """What happened in a pool so far."""

    total: PoolCounts
    """All classes and the larger buffers together."""
    larger: PoolCounts
    """Buffers of more than 1 MiB, of which up to 64 MiB are kept."""
    classes: dict[int, PoolCounts]
    """By the capacity of the class in bytes: 64, 128, ... 1048576."""


@dataclass(frozen=True)
class SlabStats(PoolCounts):
    """What happened in a slab allocator so far; a miss takes objects that were never used."""

    slabs: int
    """Slabs that are held, in use or not."""


_Counts = tuple[int, int, int, int, int]


def _make_stats(total: _Counts, larger: _Counts, classes: list[_Counts]) -> PoolStats:
    return PoolStats(
        PoolCounts(*total),
        PoolCounts(*larger),
        {64 << place: PoolCounts(*counts) for place, counts in enumerate(classes)},
    )
