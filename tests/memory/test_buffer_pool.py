"""Buffers of a pool: what they are, when they go back, what is refused, what is counted."""

import ctypes
import gc
import io
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dwcp
from dwcp.memory import Buffer, BufferPool

from .handing import address, changed_underway, refused_of_two_puts

CLASSES = [64 << place for place in range(15)]
SIZES = sorted({0, 1, 63, *CLASSES, *(size + 1 for size in CLASSES), 5 << 20})


@pytest.mark.parametrize("size", SIZES)
def test_a_buffer_is_writable_memory_of_the_size_asked_for(size: int) -> None:
    pool = BufferPool()
    with pool.get(size) as buffer:
        assert len(buffer) == buffer.size == size
        larger = next((c for c in CLASSES if c >= size), -(-size // 4096) * 4096)
        assert buffer.capacity == larger
        view = memoryview(buffer)
        assert (view.nbytes, view.format, view.readonly, view.ndim) == (size, "B", False, 1)
        view[:] = bytes(i % 251 for i in range(size))
        assert bytes(buffer) == bytes(i % 251 for i in range(size))
        if size:
            assert address(buffer) % 64 == 0
        del view


def test_buffers_of_a_page_or_more_begin_pages_and_share_none() -> None:
    pool = BufferPool()
    page_bytes = os.sysconf("SC_PAGESIZE")
    buffers = [pool.get(size) for size in SIZES if size >= page_bytes for _ in range(3)]
    small = [pool.get(size) for size in SIZES if 0 < size < page_bytes]
    pages = [
        page
        for buffer in buffers
        for page in range(address(buffer), address(buffer) + buffer.capacity, page_bytes)
    ]
    assert all(page % page_bytes == 0 for page in pages)
    assert len(set(pages)) == len(pages)
    assert not {address(buffer) // page_bytes * page_bytes for buffer in small} & set(pages)


def test_numpy_uses_the_memory_itself() -> None:
    pool = BufferPool()
    buffer = pool.get(800)
    array = np.asarray(buffer).view(np.float64)
    array[:] = np.arange(100)
    assert np.array_equal(np.frombuffer(buffer, np.float64), np.arange(100))
    assert io.BytesIO(b"x" * 800).readinto(buffer) == 800
    assert bytes(array.view(np.uint8)) == b"x" * 800


def test_memory_that_was_given_back_is_used_again() -> None:
    pool = BufferPool()
    for size in (1, 1000, 100_000, 1_000_000):
        buffer = pool.get(size)
        place = address(buffer)
        pool.put(buffer)
        with pool.get(size) as again:
            assert address(again) == place
        collected = pool.get(size)
        assert address(collected) == place
        del collected
        gc.collect()
        released = pool.get(size)
        assert address(released) == place
        released.release()
        assert released.released


@pytest.mark.parametrize("end", ["put", "release", "with", "collect"])
def test_views_keep_the_memory_until_the_last_has_gone(end: str) -> None:
    pool = BufferPool()
    buffer = pool.get(1000)
    first, second = memoryview(buffer), np.asarray(buffer)
    second[:] = 7
    if end == "put":
        pool.put(buffer)
    elif end == "release":
        buffer.release()
    elif end == "with":
        with buffer:
            pass
    else:
        del buffer
        gc.collect()
    others = [pool.get(1000) for _ in range(200)]
    for other in others:
        memoryview(other)[:] = bytes(1000)
    assert second.tobytes() == bytes([7]) * 1000
    assert pool.stats().total.deallocations == 0
    first.release()
    assert pool.stats().total.deallocations == 0
    del second
    gc.collect()
    assert pool.stats().total.deallocations == 1


def test_a_buffer_that_was_put_gives_no_more_views() -> None:
    pool = BufferPool()
    buffer = pool.get(10)
    pool.put(buffer)
    with pytest.raises(BufferError, match="was put back"):
        memoryview(buffer)
    assert "released" in repr(buffer)


def test_wrong_buffers_are_refused_and_nothing_changes() -> None:
    pool, other = BufferPool(), BufferPool()
    buffer = pool.get(100)
    with pytest.raises(ValueError, match="is of another one"):
        other.put(buffer)
    for wrong in (None, b"x", bytearray(5), memoryview(buffer), 1):
        with pytest.raises(TypeError, match=r"must be a dwcp\.memory\.Buffer"):
            pool.put(wrong)  # type: ignore[arg-type]
    assert pool.stats().total.deallocations == 0
    pool.put(buffer)
    with pytest.raises(ValueError, match="put before"):
        pool.put(buffer)
    with pytest.raises(ValueError, match="put before"):
        buffer.release()
    assert pool.stats().total.deallocations == 1
    with pytest.raises(TypeError):
        Buffer()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (-1, ValueError),
        (2**46 + 1, ValueError),
        (2**70, ValueError),
        (1.0, TypeError),
        ("1", TypeError),
    ],
)
def test_sizes_out_of_bounds_are_refused(size: Any, error: type[Exception]) -> None:
    pool = BufferPool()
    with pytest.raises(error, match="size must be"):
        pool.get(size)
    with pytest.raises(error, match="size must be"):
        pool.get_many(2, size)
    with pytest.raises(error, match="limit_bytes must be"):
        BufferPool(limit_bytes=size)


def test_more_than_there_is_raises_memory_error() -> None:
    with pytest.raises(MemoryError):
        BufferPool().get(2**46)
    with pytest.raises(ValueError, match="limit_bytes"):
        BufferPool(limit_bytes=0)
    pool = BufferPool(limit_bytes=4 << 20)
    buffers = [pool.get(1 << 20) for _ in range(4)]
    with pytest.raises(MemoryError, match="limit"):
        pool.get(1)
    buffers.clear()
    gc.collect()
    assert len(pool.get(4 << 20)) == 4 << 20
    with pytest.raises(MemoryError, match="limit"):
        pool.get_many(5, 1 << 20)
    assert pool.stats().total.bytes_held_max == 4 << 20


def test_after_close_nothing_is_got_or_put_and_buffers_stay_good() -> None:
    with BufferPool() as pool:
        buffer = pool.get(100)
        memoryview(buffer)[:] = b"a" * 100
    assert pool.closed
    with pytest.raises(dwcp.Closed, match="closed"):
        pool.get(1)
    with pytest.raises(dwcp.Closed, match="closed"):
        pool.put(buffer)
    with pytest.raises(dwcp.Closed, match="closed"), pool:
        pass
    pool.close()
    assert bytes(buffer) == b"a" * 100
    del pool
    gc.collect()
    assert bytes(buffer) == b"a" * 100
    buffer.release()


def test_the_statistics_are_exact() -> None:
    pool = BufferPool()
    buffers = [pool.get(100) for _ in range(50)]
    for buffer in buffers[:20]:
        pool.put(buffer)
    larger = pool.get(3 << 20)
    stats = pool.stats()
    counts = stats.classes[128]
    assert (counts.allocations, counts.deallocations, counts.misses) == (50, 20, 2)
    assert counts.hits == 48
    assert counts.hit_rate == 48 / 50
    assert counts.bytes_held == counts.bytes_held_max == 64 * 128
    assert stats.larger.allocations == 1
    assert stats.total.allocations == 51
    assert stats.total.bytes_held == 64 * 128 + (3 << 20)
    larger.release()
    assert pool.stats().larger.deallocations == 1
    assert pool.trim() == 3 << 20
    assert pool.stats().total.bytes_held == 64 * 128
    assert list(stats.classes) == CLASSES
    assert BufferPool().stats().total.hit_rate == 0


def test_many_at_once() -> None:
    pool = BufferPool()
    buffers = pool.get_many(100, size=1000)
    assert len({address(buffer) for buffer in buffers}) == 100
    pool.put_many(iter(buffers))
    assert pool.stats().classes[1024].deallocations == 100
    assert pool.get_many(0, 10) == []
    with pytest.raises(ValueError, match="put before"):
        pool.put_many(buffers)
    with pytest.raises(TypeError):
        pool.put_many(5)  # type: ignore[arg-type]


def test_trimming_gives_memory_back_to_the_kernel() -> None:
    pool = BufferPool()
    buffers = pool.get_many(64, 1 << 20)
    kept = buffers.pop()
    memoryview(kept)[:] = bytes([5]) * (1 << 20)
    before = resident_bytes()
    pool.put_many(buffers)
    given_back = pool.trim()
    assert 62 << 20 <= given_back <= 63 << 20
    assert resident_bytes() < before - (40 << 20)
    assert bytes(kept) == bytes([5]) * (1 << 20)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_buffers_are_cleared_where_that_is_wished() -> None:
    pool = BufferPool(zero=True)
    for size in (100, 1 << 20, 3 << 20):
        with pool.get(size) as buffer:
            memoryview(buffer)[:] = b"x" * size
        with pool.get(size) as buffer:
            assert bytes(buffer) == bytes(size)


def test_threads_get_and_put_each_others_buffers() -> None:
    pool = BufferPool()
    got = (pool.get(1 + i % 5000) for i in range(3000))
    assert changed_underway(got, pool.put) == []
    assert pool.stats().total.deallocations == 3000


def test_one_of_two_puts_at_the_same_time_is_refused() -> None:
    pool = BufferPool()
    buffers = pool.get_many(2000, 64)
    refused = refused_of_two_puts(buffers, pool.put)
    assert len(refused) == 2000
    assert pool.stats().total.deallocations == 2000
    refused.clear()
    buffers.clear()
    assert len({address(buffer) for buffer in pool.get_many(2000, 64)}) == 2000


def test_a_forked_child_goes_on_with_its_own_copies() -> None:
    pool = BufferPool()
    kept = pool.get(1000)
    memoryview(kept)[:] = b"p" * 1000
    child = os.fork()
    if child == 0:
        good = bytes(kept) == b"p" * 1000
        memoryview(kept)[:] = b"c" * 1000
        with pool.get(1000) as buffer:
            memoryview(buffer)[:] = b"d" * 1000
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bytes(kept) == b"p" * 1000


@given(st.lists(st.tuples(st.integers(0, 200_000), st.booleans()), max_size=60))
def test_buffers_in_use_never_overlap(steps: list[tuple[int, bool]]) -> None:
    pool = BufferPool()
    used: list[Buffer] = []
    for size, give_back in steps:
        if give_back and used:
            pool.put(used.pop(size % len(used)))
        else:
            used.append(pool.get(size))
    places = sorted((address(buffer), buffer.capacity) for buffer in used if len(buffer))
    for (place, capacity), (following, _) in itertools.pairwise(places):
        assert place + capacity <= following
    counts = pool.stats().total
    assert counts.allocations - counts.deallocations == len(used)


def test_references_are_counted_rightly() -> None:
    pool = BufferPool()
    before = sys.getrefcount(pool), sys.getrefcount(Buffer)
    for _ in range(100):
        with pool.get(100) as buffer:
            memoryview(buffer).release()
        pool.put_many(pool.get_many(3, 50))
        with pytest.raises(ValueError, match="put before"):
            pool.put(buffer)
    del buffer
    gc.collect()
    # Objects that are kept for the next ones have given up what they held.
    assert (sys.getrefcount(pool), sys.getrefcount(Buffer)) == before


def test_memory_can_be_reached_by_address() -> None:
    with BufferPool().get(64) as buffer:
        ctypes.memset(address(buffer), 65, 64)
        assert bytes(buffer) == b"A" * 64
