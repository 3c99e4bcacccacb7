"""Event loops that wait for threads and for one another."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dwcp import lockfree
from dwcp.lockfree import _asynchronous

Make = Callable[[int], Any]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def soon(future: "asyncio.Future[Any]") -> Any:
    return await asyncio.wait_for(future, 30)


async def waiting(made: Any, for_room: bool = False) -> None:
    """Return once a task waits."""
    while not any(
        key[0] == id(made) and key[2] == for_room and listener._waiting
        for key, listener in _asynchronous._listeners.items()
    ):
        await asyncio.sleep(0)


def test_a_loop_gets_what_threads_put(make: Make) -> None:
    made = make(4)

    async def main() -> list[int]:
        thread = threading.Thread(target=lambda: [made.put(i) for i in range(500)])
        thread.start()
        got = [await made.aget() for _ in range(500)]
        thread.join()
        return got

    assert sorted(asyncio.run(main())) == list(range(500))
    assert not _asynchronous._listeners


def test_threads_get_what_a_loop_puts(make: Make) -> None:
    made = make(4)
    got: list[int] = []

    async def main() -> None:
        thread = threading.Thread(target=lambda: got.extend(made.get() for _ in range(500)))
        thread.start()
        for i in range(500):
            await made.aput(i)
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert sorted(got) == list(range(500))


def test_many_tasks_share_what_comes(make: Make) -> None:
    made = make(4)

    async def main() -> list[int]:
        tasks = [asyncio.ensure_future(made.aget()) for _ in range(20)]
        await waiting(made)
        for i in range(20):
            await made.aput(i)
        return [await soon(task) for task in tasks]

    assert sorted(asyncio.run(main())) == list(range(20))


def test_a_cancelled_get_takes_nothing_and_passes_its_turn_on(make: Make) -> None:
    made = make(4)

    async def main() -> None:
        first = asyncio.ensure_future(made.aget())
        await waiting(made)
        second = asyncio.ensure_future(made.aget())
        await asyncio.sleep(0)
        listener = next(iter(_asynchronous._listeners.values()))
        made.put("item")
        listener._on_change()  # the turn is the first task's, which is cancelled before it runs
        assert len(listener._waiting) == 1
        first.cancel()
        assert await soon(second) == "item"
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(main())
    assert made.empty()
    assert not _asynchronous._listeners


def test_a_cancelled_put_puts_nothing(make_bounded: Make) -> None:
    made = make_bounded(1)
    made.put(1)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(made.aput(2), 0.01)
        waiter = asyncio.ensure_future(made.aput(3))
        await waiting(made, for_room=True)
        assert made.get() == 1
        await soon(waiter)

    asyncio.run(main())
    assert made.get_many(5) == [3]


def test_shutdown_ends_the_waits(make: Make) -> None:
    made = make(1)

    async def main() -> None:
        task = asyncio.ensure_future(made.aget())
        batch = asyncio.ensure_future(made.aget_many(4))
        await waiting(made)
        made.shutdown()
        for waiter in (task, batch):
            with pytest.raises(lockfree.ShutDown):
                await soon(waiter)
        with pytest.raises(lockfree.ShutDown):
            await made.aput(1)

    asyncio.run(main())


def test_batches_come_as_they_are_there(make: Make) -> None:
    made = make(8)

    async def main() -> list[int]:
        task = asyncio.ensure_future(made.aget_many(3))
        await waiting(made)
        made.put_many(range(5))
        got: list[int] = await soon(task)
        got += await made.aget_many(10)
        return got

    assert sorted(asyncio.run(main())) == list(range(5))


def test_two_loops_may_wait_for_one_structure() -> None:
    made: lockfree.MpmcQueue[int] = lockfree.MpmcQueue(4)
    got: list[int] = []

    async def take() -> None:
        try:
            while True:
                got.append(await made.aget())
        except lockfree.ShutDown:
            return

    threads = [threading.Thread(target=lambda: asyncio.run(take())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(300):
        made.put(i)
    made.shutdown()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sorted(got) == list(range(300))


def test_no_descriptor_is_left_behind(make: Make) -> None:
    before = open_descriptors()
    for _ in range(20):
        made = make(1)

        async def main(made: Any = made) -> None:
            task = asyncio.ensure_future(made.aget())
            await waiting(made)
            await made.aput(1)
            await soon(task)
            # One that still waits when the loop ends.
            left = asyncio.ensure_future(made.aget())
            await waiting(made)
            assert not left.done()

        asyncio.run(main())
    assert open_descriptors() == before


def test_listeners_that_are_none_are_refused(make: Make) -> None:
    made = make(1)
    with pytest.raises(ValueError, match="fd 99 is no listener"):
        made._remove_listener(99, False)
    with pytest.raises(TypeError):
        made._add_listener("x", False)
