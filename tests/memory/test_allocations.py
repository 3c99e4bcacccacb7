"""Once warm, pools allocate nothing: neither memory of their own nor Python objects."""

import sys
import tracemalloc
from collections.abc import Callable
from itertools import repeat

import pytest

from dwcp import delta
from dwcp.memory import BufferPool, SlabAllocator, ThreadLocalPool

CLASSES = [64 << place for place in range(15)]
ROUNDS = 300
pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="objects are kept for the next ones only with the GIL",
)


def peak_bytes(work: Callable[[], None]) -> int:
    """The most that was allocated at one time while a call did its work, freed or not."""
    work()
    tracemalloc.start()
    try:
        work()  # what the interpreter keeps of the first call
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def nothing() -> None:
    for _ in repeat(None, ROUNDS):
        pass


def test_an_allocation_is_seen_also_one_that_is_freed_at_once() -> None:
    def allocate() -> None:
        for _ in repeat(None, ROUNDS):
            object()

    assert peak_bytes(allocate) >= peak_bytes(nothing) + sys.getsizeof(object())


@pytest.mark.parametrize("size", CLASSES)
def test_a_buffer_pool_allocates_nothing(size: int) -> None:
    pool = BufferPool()
    get, put = pool.get, pool.put

    def work() -> None:
        for _ in repeat(None, ROUNDS):
            put(get(size))

    assert peak_bytes(work) == peak_bytes(nothing)
    counts = pool.stats().total
    assert (counts.misses, counts.allocations) == (1, 3 * ROUNDS)
    assert counts.hit_rate > 0.998


@pytest.mark.parametrize("pool", [SlabAllocator(1000, 64), ThreadLocalPool(1000)], ids=type)
def test_a_pool_of_one_size_allocates_nothing(pool: SlabAllocator | ThreadLocalPool) -> None:
    get, put = pool.get, pool.put

    def work() -> None:
        for _ in repeat(None, ROUNDS):
            put(get())

    assert peak_bytes(work) == peak_bytes(nothing)
    counts = pool.stats()
    assert (counts.misses, counts.allocations) == (1, 3 * ROUNDS)


def test_deltas_in_memory_of_a_pool_make_no_objects_but_numbers() -> None:
    pool = BufferPool()
    first, second, out = (pool.get(100_000) for _ in range(3))
    memoryview(first)[:] = bytes(100_000)
    memoryview(second)[:] = bytes(50_000) + b"x" * 50_000
    there, back = delta.encode(second, first), delta.encode(first, second)
    decoder = delta.Decoder(first)

    def work() -> None:
        for _ in repeat(None, ROUNDS):
            delta.xor(first, second, out)
            decoder.apply(there)
            decoder.apply(back)

    assert peak_bytes(work) < peak_bytes(nothing) + 200
    assert bytes(out) == bytes(50_000) + b"x" * 50_000
