"""Pools of one size, packed or of a thread: what they give, what they refuse, what they count."""

import gc
import itertools
import os
import sys
import threading
from collections.abc import Callable
from time import perf_counter_ns

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dwcp
from dwcp.memory import Buffer, BufferPool, PoolCounts, SlabAllocator, SlabStats, ThreadLocalPool

from .handing import address, changed_underway, refused_of_two_puts

Pool = SlabAllocator | ThreadLocalPool
MAKE: dict[str, Callable[[int], Pool]] = {
    "slab": lambda size: SlabAllocator(size, 100),
    "thread-local": ThreadLocalPool,
}
KINDS = pytest.mark.parametrize("make", MAKE.values(), ids=list(MAKE))
SIZES = [1, 7, 8, 24, 63, 64, 65, 100, 1000, 4095, 4096, 4097, 100_000, 1 << 20]
PAGE_BYTES = os.sysconf("SC_PAGESIZE")


@KINDS
@pytest.mark.parametrize("size", SIZES)
def test_a_buffer_has_exactly_the_size(make: Callable[[int], Pool], size: int) -> None:
    pool = make(size)
    with pool.get() as buffer:
        assert isinstance(buffer, Buffer)
        assert len(buffer) == buffer.size == memoryview(buffer).nbytes == size
        memoryview(buffer)[:] = bytes(i % 251 for i in range(size))
        assert bytes(buffer) == bytes(i % 251 for i in range(size))
    assert buffer.released


@pytest.mark.parametrize("size", SIZES)
def test_objects_are_packed_and_aligned_by_their_size(size: int) -> None:
    slabs = SlabAllocator(size, 16)
    assert (slabs.object_size, slabs.objects_per_slab) == (size, 16)
    buffers = [slabs.get() for _ in range(16)]
    stride = -(-size // 8) * 8
    assert {buffer.capacity for buffer in buffers} == {stride}
    places = sorted(address(buffer) for buffer in buffers)
    assert {b - a for a, b in itertools.pairwise(places)} == {stride}
    power = min(stride & -stride, PAGE_BYTES)
    assert all(place % power == 0 for place in places)
    assert places[0] % PAGE_BYTES == 0
    stats = slabs.stats()
    assert (stats.slabs, stats.bytes_held) == (1, -(-16 * stride // PAGE_BYTES) * PAGE_BYTES)


@pytest.mark.parametrize("size", [*SIZES, 3 << 20])
def test_buffers_of_a_thread_are_aligned_and_share_no_page(size: int) -> None:
    pool = ThreadLocalPool(size)
    assert pool.size == size
    buffers = [pool.get() for _ in range(5)]
    alignment = 64 if size < PAGE_BYTES else PAGE_BYTES
    assert all(address(buffer) % alignment == 0 for buffer in buffers)
    assert buffers[0].capacity == -(-size // alignment) * alignment
    if size >= PAGE_BYTES:
        pages = [
            page
            for buffer in buffers
            for page in range(address(buffer), address(buffer) + size, PAGE_BYTES)
        ]
        assert len(set(pages)) == len(pages)


@KINDS
def test_memory_that_was_given_back_is_used_again(make: Callable[[int], Pool]) -> None:
    pool = make(100)
    buffer = pool.get()
    place = address(buffer)
    pool.put(buffer)
    with pool.get() as again:
        assert address(again) == place
    collected = pool.get()
    assert address(collected) == place
    del collected
    gc.collect()
    assert address(pool.get()) == place


@KINDS
def test_views_keep_the_memory(make: Callable[[int], Pool]) -> None:
    pool = make(1000)
    buffer = pool.get()
    array = np.asarray(buffer)
    array[:] = 7
    pool.put(buffer)
    others = pool.get_many(200)
    for other in others:
        memoryview(other)[:] = bytes(1000)
    assert array.tobytes() == bytes([7]) * 1000
    assert pool.stats().deallocations == 0
    del array
    gc.collect()
    assert pool.stats().deallocations == 1


@KINDS
def test_wrong_buffers_are_refused_and_nothing_changes(make: Callable[[int], Pool]) -> None:
    pool, other, buffers = make(100), make(100), BufferPool()
    buffer = pool.get()
    for wrong in (other, buffers, SlabAllocator(100, 1), ThreadLocalPool(100)):
        with pytest.raises(ValueError, match="is of another one"):
            wrong.put(buffer)
    with pytest.raises(ValueError, match="is of another one"):
        pool.put(buffers.get(100))
    for thing in (None, b"x", bytearray(5), memoryview(buffer), 1):
        with pytest.raises(TypeError, match=r"must be a dwcp\.memory\.Buffer"):
            pool.put(thing)  # type: ignore[arg-type]
    assert pool.stats().deallocations == 0
    pool.put(buffer)
    with pytest.raises(ValueError, match="put before"):
        pool.put(buffer)
    with pytest.raises(ValueError, match="put before"):
        buffer.release()
    with pytest.raises(BufferError, match="was put back"):
        memoryview(buffer)
    assert pool.stats().deallocations == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SlabAllocator(0, 1), ValueError, r"object_size must be 1\.\.1048576"),
        (lambda: SlabAllocator(-1, 1), ValueError, r"object_size must be 1\.\.1048576"),
        (lambda: SlabAllocator(2**20 + 1, 1), ValueError, r"object_size must be 1\.\.1048576"),
        (lambda: SlabAllocator(2**70, 1), ValueError, "object_size must be"),
        (lambda: SlabAllocator(64, 0), ValueError, r"objects_per_slab must be 1\.\."),
        (lambda: SlabAllocator(64, -5), ValueError, r"objects_per_slab must be 1\.\."),
        (
            lambda: SlabAllocator(64, 2**24 + 1),
            ValueError,
            "objects_per_slab must be 1 to 16777216 for objects of 64 bytes, but is 16777217",
        ),
        (lambda: SlabAllocator(64.0, 1), TypeError, "object_size must be an int"),  # type: ignore[arg-type]
        (lambda: SlabAllocator(64, "1"), TypeError, "objects_per_slab must be an int"),  # type: ignore[arg-type]
        (
            lambda: SlabAllocator(64, 128, limit_bytes=8191),
            ValueError,
            "limit_bytes of a slab allocator must be 8192 or more, but is 8191",
        ),
        (lambda: SlabAllocator(64, 1, limit_bytes=-1), ValueError, "limit_bytes must be"),
        (lambda: ThreadLocalPool(0), ValueError, r"size must be 1\.\.1073741824"),
        (lambda: ThreadLocalPool(2**30 + 1), ValueError, r"size must be 1\.\.1073741824"),
        (lambda: ThreadLocalPool("1"), TypeError, "size must be an int"),  # type: ignore[arg-type]
        (
            lambda: ThreadLocalPool(64, buffers_per_thread=0),
            ValueError,
            r"buffers_per_thread must be 1\.\.255",
        ),
        (
            lambda: ThreadLocalPool(64, buffers_per_thread=256),
            ValueError,
            r"buffers_per_thread must be 1\.\.255",
        ),
        (
            lambda: ThreadLocalPool(4096, limit_bytes=4096),
            ValueError,
            "limit_bytes of a thread-local pool must be",
        ),
    ],
)
def test_numbers_out_of_bounds_are_refused_and_the_bounds_named(
    make: Callable[[], Pool], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


@KINDS
def test_after_close_nothing_is_got_or_put_and_buffers_stay_good(
    make: Callable[[int], Pool],
) -> None:
    with make(100) as pool:
        buffer = pool.get()
        memoryview(buffer)[:] = b"a" * 100
    assert pool.closed
    with pytest.raises(dwcp.Closed, match="was closed"):
        pool.get()
    with pytest.raises(dwcp.Closed, match="was closed"):
        pool.get_many(1)
    with pytest.raises(dwcp.Closed, match="was closed"):
        pool.put(buffer)
    with pytest.raises(dwcp.Closed, match="was closed"), pool:
        pass
    pool.close()
    del pool
    gc.collect()
    assert bytes(buffer) == b"a" * 100
    buffer.release()


def test_slab_statistics_are_exact() -> None:
    slabs = SlabAllocator(200, 100)
    assert slabs.stats() == SlabStats(0, 0, 0, 0, 0, slabs=0)
    buffers = slabs.get_many(250)
    slabs.put_many(buffers[:50])
    stats = slabs.stats()
    assert (stats.allocations, stats.deallocations, stats.slabs) == (250, 50, 3)
    assert 3 <= stats.misses <= 12
    assert stats.hits == 250 - stats.misses
    assert stats.bytes_held == stats.bytes_held_max == 3 * 5 * 4096
    del buffers
    gc.collect()
    assert slabs.stats().deallocations == 250
    assert slabs.trim() == 3 * 5 * 4096
    assert (slabs.stats().slabs, slabs.stats().bytes_held) == (0, 0)
    assert slabs.stats().bytes_held_max == 3 * 5 * 4096


def test_a_slab_that_is_in_use_is_not_given_back() -> None:
    slabs = SlabAllocator(4096, 16)
    buffers = slabs.get_many(160)
    kept = buffers[0]
    memoryview(kept)[:] = bytes([5]) * 4096
    slabs.put_many(buffers[1:])
    assert slabs.trim() == 9 * 16 * 4096
    assert slabs.stats().slabs == 1
    assert bytes(kept) == bytes([5]) * 4096


def test_thread_local_statistics_are_exact() -> None:
    pool = ThreadLocalPool(1000, buffers_per_thread=8)
    assert pool.buffers_per_thread == 8
    buffers = pool.get_many(40)
    pool.put_many(buffers)
    assert pool.stats() == PoolCounts(40, 40, 10, 10 * 4096, 10 * 4096)
    assert pool.trim() == 10 * 4096
    assert pool.stats() == PoolCounts(40, 40, 10, 0, 10 * 4096)


def test_the_limit_is_a_memory_error() -> None:
    slabs = SlabAllocator(1000, 4, limit_bytes=8192)
    buffers = slabs.get_many(8)
    with pytest.raises(MemoryError, match="the slab allocator has reached its limit"):
        slabs.get()
    with pytest.raises(MemoryError, match="limit"):
        slabs.get_many(1)
    buffers.clear()
    gc.collect()
    with pytest.raises(MemoryError, match="limit"):
        slabs.get_many(9)
    assert slabs.stats().allocations - slabs.stats().deallocations == 0
    pool = ThreadLocalPool(4096, buffers_per_thread=4, limit_bytes=16384)
    got = pool.get_many(4)
    with pytest.raises(MemoryError, match="the thread-local pool has reached its limit"):
        pool.get()
    del got


@KINDS
def test_many_at_once(make: Callable[[int], Pool]) -> None:
    pool = make(1000)
    buffers = pool.get_many(100)
    assert len({address(buffer) for buffer in buffers}) == 100
    pool.put_many(iter(buffers))
    assert pool.stats().deallocations == 100
    assert pool.get_many(0) == []
    with pytest.raises(ValueError, match="count must be"):
        pool.get_many(-1)
    with pytest.raises(ValueError, match="put before"):
        pool.put_many(buffers)
    with pytest.raises(TypeError):
        pool.put_many(5)  # type: ignore[arg-type]


def test_a_thread_keeps_what_it_puts_up_to_its_bound() -> None:
    pool = ThreadLocalPool(64, buffers_per_thread=4)
    pool.put_many(pool.get_many(100))
    misses = pool.stats().misses
    seen: list[int] = []

    def other() -> None:
        buffers = pool.get_many(96)
        seen.append(pool.stats().misses)
        more = pool.get_many(5)
        seen.append(pool.stats().misses)
        pool.put_many(buffers + more)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen[0] == misses
    assert seen[1] > misses


@KINDS
def test_threads_get_and_put_each_others_buffers(make: Callable[[int], Pool]) -> None:
    pool = make(333)
    got = (pool.get() for _ in range(3000))
    assert changed_underway(got, pool.put) == []
    assert pool.stats().deallocations == 3000


@KINDS
def test_one_of_two_puts_at_the_same_time_is_refused(make: Callable[[int], Pool]) -> None:
    pool = make(64)
    refused = refused_of_two_puts(pool.get_many(2000), pool.put)
    assert len(refused) == 2000
    assert pool.stats().deallocations == 2000


@KINDS
def test_a_forked_child_goes_on_with_its_own_copies(make: Callable[[int], Pool]) -> None:
    pool = make(1000)
    kept = pool.get()
    memoryview(kept)[:] = b"p" * 1000
    child = os.fork()
    if child == 0:
        good = bytes(kept) == b"p" * 1000
        memoryview(kept)[:] = b"c" * 1000
        with pool.get() as buffer:
            memoryview(buffer)[:] = b"d" * 1000
        pool.put(kept)
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bytes(kept) == b"p" * 1000


@given(
    st.sampled_from(list(MAKE)),
    st.integers(1, 10_000),
    st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=60),
)
def test_buffers_in_use_never_overlap(kind: str, size: int, steps: list[tuple[int, bool]]) -> None:
    pool = MAKE[kind](size)
    used: list[Buffer] = []
    for number, give_back in steps:
        if give_back and used:
            pool.put(used.pop(number % len(used)))
        else:
            used.append(pool.get())
    places = sorted(address(buffer) for buffer in used)
    assert all(b - a >= used[0].capacity for a, b in itertools.pairwise(places))
    counts = pool.stats()
    assert counts.allocations - counts.deallocations == len(used)


@KINDS
def test_references_are_counted_rightly(make: Callable[[int], Pool]) -> None:
    pool = make(100)
    before = sys.getrefcount(pool), sys.getrefcount(Buffer), sys.getrefcount(type(pool))
    for _ in range(100):
        with pool.get() as buffer:
            memoryview(buffer).release()
        pool.put_many(pool.get_many(3))
        with pytest.raises(ValueError, match="put before"):
            pool.put(buffer)
        make(100).close()
    del buffer
    gc.collect()
    after = sys.getrefcount(pool), sys.getrefcount(Buffer), sys.getrefcount(type(pool))
    assert after == before


@pytest.mark.heavy
def test_a_thread_local_pool_is_not_slower_than_a_buffer_pool() -> None:
    pool, local = BufferPool(), ThreadLocalPool(1024)

    def of_pool() -> None:
        get, put = pool.get, pool.put
        for _ in range(1000):
            put(get(1024))

    def of_thread() -> None:
        get, put = local.get, local.put
        for _ in range(1000):
            put(get())

    def seconds(work: Callable[[], None]) -> int:
        begin = perf_counter_ns()
        work()
        return perf_counter_ns() - begin

    times = [(seconds(of_thread), seconds(of_pool)) for _ in range(200)]
    # The best of many turns, and a margin for what else the machine does.
    assert min(own for own, _ in times) < 1.3 * min(other for _, other in times)
