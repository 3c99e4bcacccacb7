"""Threads: nothing is lost, waiting ends when it should."""

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from dwcp import lockfree

Make = Callable[[int], Any]


def start(*functions: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("capacity", [1, 64])
def test_threads_pass_on_every_item_once(make: Make, capacity: int, batch: int) -> None:
    made = make(capacity)
    count, sides = 3000, 1 if isinstance(made, lockfree.SpscRing) else 3
    got: list[list[tuple[int, int]]] = [[] for _ in range(sides)]

    def produce(producer: int) -> None:
        items = [(producer, i) for i in range(count)]
        for at in range(0, count, batch):
            if batch == 1:
                made.put(items[at])
            else:
                made.put_many(items[at : at + batch])

    def consume(taken: list[tuple[int, int]]) -> None:
        try:
            while True:
                if batch == 1:
                    taken.append(made.get())
                else:
                    taken.extend(made.get_many(batch))
        except lockfree.ShutDown:
            return

    consumers = start(*(lambda g=g: consume(g) for g in got))  # type: ignore[misc]
    producers = start(*(lambda p=p: produce(p) for p in range(sides)))  # type: ignore[misc]
    join(producers)
    made.shutdown()
    join(consumers)
    assert sorted(item for taken in got for item in taken) == [
        (p, i) for p in range(sides) for i in range(count)
    ]
    if not isinstance(made, lockfree.Stack):
        for taken in got:
            for p in range(sides):
                numbers = [i for producer, i in taken if producer == p]
                assert numbers == sorted(numbers)


def test_waiting_threads_sleep(make: Make) -> None:
    made = make(1)
    (thread,) = start(made.get)
    before = time.thread_time(), time.process_time()
    thread.join(0.3)
    assert time.process_time() - before[1] < 0.2
    made.put(1)
    join([thread])


def test_get_waits_for_put_and_put_for_get(make_bounded: Make) -> None:
    there, back = make_bounded(1), make_bounded(1)

    def echo() -> None:
        while (item := there.get()) is not None:
            back.put(item)

    threads = start(echo)
    for i in range(2000):
        there.put(i)
        assert back.get() == i
    there.put(None)
    join(threads)


def test_timeouts_are_kept(make_bounded: Make) -> None:
    made = make_bounded(1)
    before = time.monotonic()
    with pytest.raises(queue.Empty):
        made.get(timeout=0.05)
    made.put(1)
    with pytest.raises(queue.Full):
        made.put(2, timeout=0.05)
    assert made.put_many([2, 3], timeout=0.05) == 0
    assert time.monotonic() - before >= 0.15
    assert made.get(timeout=1e300) == 1


def test_a_batch_that_waits_says_how_far_it_came(make_bounded: Make) -> None:
    made = make_bounded(4)
    assert made.put_many(range(6), timeout=0.01) == 4
    results: list[int] = []
    threads = start(lambda: results.append(made.put_many(range(100, 120))))
    assert [made.get() for _ in range(12)] == [0, 1, 2, 3, *range(100, 108)]
    made.shutdown()
    join(threads)
    # As many as there was room for before the shutdown came.
    (put,) = results
    assert 8 <= put <= 12
    with pytest.raises(lockfree.ShutDown) if put == 8 else contextlib.nullcontext():
        assert made.get_many(10) == list(range(108, 100 + put))


def test_shutdown_wakes_all_and_refuses_what_comes_later(make: Make) -> None:
    made = make(1)
    ends: list[type[BaseException]] = []

    def wait() -> None:
        try:
            made.get()
        except lockfree.ShutDown:
            ends.append(lockfree.ShutDown)

    threads = start(wait, wait, wait)
    made.shutdown()
    join(threads)
    assert ends == [lockfree.ShutDown] * 3
    assert made.is_shut_down
    assert not made.try_put(1)
    for call in (lambda: made.put(1), lambda: made.put_nowait(1), lambda: made.get_nowait()):
        with pytest.raises(lockfree.ShutDown):
            call()
    with pytest.raises(lockfree.ShutDown):
        made.put_many([1])
    made.shutdown()  # once more is no mistake


def test_shutdown_leaves_what_is_there_unless_told(make: Make) -> None:
    made = make(4)
    made.put_many([1, 2])
    made.shutdown()
    assert sorted([made.get(), made.get()]) == [1, 2]
    with pytest.raises(lockfree.ShutDown):
        made.get(timeout=10)
    made = make(4)
    made.put_many([1, 2])
    made.shutdown(immediate=True)
    with pytest.raises(lockfree.ShutDown):
        made.get()


def test_a_full_one_that_is_shut_down_refuses_those_who_wait_for_room(make_bounded: Make) -> None:
    made = make_bounded(1)
    made.put(1)
    ends: list[str] = []

    def wait() -> None:
        try:
            made.put(2)
        except lockfree.ShutDown:
            ends.append("shut down")

    threads = start(wait)
    made.shutdown()
    join(threads)
    assert ends == ["shut down"]
    assert made.get() == 1


def test_a_signal_handler_ends_a_wait(
    make: Make, interruption: Callable[[], type[Exception]]
) -> None:
    made = make(1)
    with pytest.raises(interruption()):
        made.get()
    made.put(1)
    assert made.get(timeout=1) == 1


def test_a_signal_handler_that_returns_does_not_end_a_wait(make: Make) -> None:
    made = make(1)
    before = signal.signal(signal.SIGALRM, lambda *_: made.put("from the handler"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert made.get(timeout=30) == "from the handler"
    finally:
        signal.signal(signal.SIGALRM, before)


def test_join_waits_for_the_work() -> None:
    made: lockfree.JoinableQueue[int] = lockfree.JoinableQueue()
    done: list[int] = []

    def work() -> None:
        try:
            while True:
                done.append(made.get())
                made.task_done()
        except lockfree.ShutDown:
            return

    made.join()
    threads = start(work, work)
    made.put(0)
    assert made.put_many(range(1, 50)) == 49
    assert made.try_put(50)
    made.join()
    assert sorted(done) == list(range(51))
    made.shutdown()
    join(threads)
    with pytest.raises(ValueError, match="too many times"):
        made.task_done()
    assert not made.try_put(1)
    with pytest.raises(lockfree.ShutDown):
        made.put(1)
    made.join()


def test_join_has_a_timeout_and_items_that_are_dropped_count_as_done() -> None:
    made: lockfree.JoinableQueue[int] = lockfree.JoinableQueue()
    made.put(1)
    with pytest.raises(TimeoutError, match="1 items are not done"):
        made.join(timeout=0.01)
    made.shutdown(immediate=True)
    made.join()
