"""NumPy arrays whose memory is that of a pool."""

import asyncio
import gc
import threading

import numpy as np
import pytest

from dwcp.memory import BufferPool, numpy_allocator


def in_use(pool: BufferPool) -> int:
    counts = pool.stats().total
    return counts.allocations - counts.deallocations


def test_new_arrays_use_the_pool_and_give_back() -> None:
    pool = BufferPool()
    with numpy_allocator(pool):
        arrays = [np.empty(1000), np.zeros((30, 40)), np.arange(5000) * 2]
        assert all(array.ctypes.data % 64 == 0 for array in arrays)
        assert not arrays[1].any()
        assert in_use(pool) == 3
    before = pool.stats().total.allocations
    other = np.empty(1000)
    assert pool.stats().total.allocations == before
    assert arrays[2][-1] == 9998
    del arrays
    gc.collect()
    assert in_use(pool) == 0
    del other


def test_memory_is_used_again() -> None:
    pool = BufferPool()
    with numpy_allocator(pool):
        for _ in range(1000):
            np.ones(10_000)
    counts = pool.stats().total
    assert counts.misses <= 2  # the array, and what NumPy makes besides
    assert counts.hit_rate > 0.998


def test_arrays_outlive_the_block_and_the_pool() -> None:
    pool = BufferPool()
    with numpy_allocator(pool):
        array = np.arange(100_000)
        large = np.full(1 << 20, 3.0)
    pool.close()
    del pool
    gc.collect()
    assert array.sum() == 4999950000
    assert (large == 3.0).all()
    view = large[5:10]
    del array, large
    gc.collect()
    assert view.tolist() == [3.0] * 5


def test_zeros_are_zeros_in_memory_that_was_used() -> None:
    pool = BufferPool()
    with numpy_allocator(pool):
        for size in (1, 8, 1000, 1 << 17, 1 << 20):
            for _ in range(3):
                array = np.zeros(size)
                assert not array.any()
                array[:] = 7
                del array


def test_arrays_grow_and_shrink_in_their_memory() -> None:
    pool = BufferPool()
    with numpy_allocator(pool):
        array = np.arange(10)
        for size in (11, 1000, 200_000, 50, 0, 5):
            kept = min(size, array.size)
            expected = array[:kept].tolist()
            array.resize(size, refcheck=False)
            assert array[:kept].tolist() == expected
            assert not array[kept:].any()
        items = np.fromiter(iter(range(12345)), dtype=np.int64)
        assert items.tolist() == list(range(12345))
    del array, items
    gc.collect()
    assert in_use(pool) == 0


def test_blocks_nest_and_restore() -> None:
    outer, inner = BufferPool(), BufferPool()
    with numpy_allocator(outer):
        first = np.empty(10)
        with numpy_allocator(inner):
            second = np.empty(10)
        third = np.empty(10)
        with pytest.raises(KeyError), numpy_allocator(inner):
            raise KeyError
        fourth = np.empty(10)
    assert in_use(outer) == 3
    assert in_use(inner) == 1
    assert first.shape == second.shape == third.shape == fourth.shape


def test_a_block_is_for_its_own_thread_and_task() -> None:
    pool = BufferPool()
    arrays: list[np.ndarray] = []
    with numpy_allocator(pool):
        thread = threading.Thread(target=lambda: arrays.append(np.empty(1000)))
        thread.start()
        thread.join()
        assert in_use(pool) == 0
        arrays.append(np.empty(1000))
        assert in_use(pool) == 1

    async def pooled(inside: asyncio.Event, done: asyncio.Event) -> None:
        with numpy_allocator(pool):
            inside.set()
            await done.wait()
            arrays.append(np.empty(1000))

    async def main() -> None:
        inside, done = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(pooled(inside, done))
        await inside.wait()
        arrays.append(np.empty(1000))
        assert in_use(pool) == 1
        done.set()
        await task
        assert in_use(pool) == 2

    asyncio.run(main())


def test_threads_free_each_others_arrays() -> None:
    pool = BufferPool()
    with numpy_allocator(pool):
        arrays = [np.full(1000, i) for i in range(200)]
    wrong: list[int] = []

    def drop() -> None:
        while arrays:
            array = arrays.pop()
            if (array != array[0]).any():
                wrong.append(int(array[0]))

    threads = [threading.Thread(target=drop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert wrong == []
    assert in_use(pool) == 0


def test_the_limit_of_the_pool_is_a_memory_error() -> None:
    pool = BufferPool(limit_bytes=1 << 20)
    with numpy_allocator(pool):
        with pytest.raises(MemoryError):
            np.empty(1 << 20)
        array = np.empty(1000)
    assert array.nbytes == 8000


def test_only_pools_are_taken() -> None:
    with (
        pytest.raises(TypeError, match=r"must be a dwcp\.memory\.BufferPool"),
        numpy_allocator(None),
    ):  # type: ignore[arg-type]
        pass
