"""Queues between threads, beside those of the standard library.

The contestants whose names begin with dwcp are our structures. A bound is given to those that have
one.
"""

import queue
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any, ClassVar

from dwcp import lockfree

from .contestants import Contest, Running

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


class Deque(deque[Any]):
    """With the names of the others. It has neither a bound nor a way to wait."""

    put = deque.append
    get = deque.popleft


MAKE: dict[str, Callable[[int], Any]] = {
    "dwcp_mpmc_queue": lockfree.MpmcQueue,
    "dwcp_spsc_ring": lockfree.SpscRing,
    "dwcp_queue": lambda _: lockfree.Queue(),
    "dwcp_stack": lambda _: lockfree.Stack(),
    "simple_queue": lambda _: queue.SimpleQueue(),
    "queue": queue.Queue,
    "deque": lambda _: Deque(),
}
WAITING = tuple(name for name in MAKE if name != "deque")


class Pairs(Running):
    """One item put and got again, over and over, behind `before` that are there."""

    def __init__(self, made: Any, before: int) -> None:
        self.put, self.get = made.put, made.get
        for _ in range(before):
            self.put(None)

    def run(self, count: int) -> None:
        put, get = self.put, self.get
        for _ in repeat(None, count):
            put(None)
            get()


class PutGet(Contest):
    """One item put and got again by one thread."""

    contestants = tuple(MAKE)
    params: ClassVar = ([1, 64, 1024, 65536],)
    param_names = ("capacity",)
    count = 256

    def setup(self, capacity: int) -> None:
        # Half full, so that all of the memory is gone through.
        self.running = {name: Pairs(make(capacity), capacity // 2) for name, make in MAKE.items()}


class Batch(Running):
    """Items put and got again, by one call each where there is one."""

    def __init__(self, made: Any, size: int) -> None:
        self.made, self.size = made, size
        self.items = list(range(size))

    def run(self, count: int) -> None:
        made, size, items = self.made, self.size, self.items
        if hasattr(made, "put_many"):
            for _ in repeat(None, count // size):
                made.put_many(items)
                made.get_many(size)
            return
        put, get = made.put, made.get
        for _ in repeat(None, count // size):
            for item in items:
                put(item)
            [get() for _ in items]


class Batches(Contest):
    """Items put and got again by one thread, so many at once."""

    contestants = tuple(MAKE)
    params: ClassVar = ([1, 8, 32, 256],)
    param_names = ("batch",)
    count = 1024

    def setup(self, batch: int) -> None:
        self.running = {name: Batch(make(1024), batch) for name, make in MAKE.items()}


class Echo:
    """A thread that puts back what it gets."""

    def __init__(self, there: Any, back: Any) -> None:
        self.there, self.back = there, back
        self.thread = threading.Thread(target=self.echo, daemon=True)
        self.thread.start()

    def echo(self) -> None:
        while (item := self.there.get()) is not None:
            self.back.put(item)

    def run(self, count: int) -> None:
        for _ in repeat(None, count):
            self.there.put(True)
            self.back.get()

    def close(self) -> None:
        self.there.put(None)
        self.thread.join()


class RoundTrip(Contest):
    """An item to another thread and back, both waiting."""

    contestants = WAITING
    params: ClassVar = ([1, 1024],)
    param_names = ("capacity",)
    item = "round trip"
    count = 100

    def setup(self, capacity: int) -> None:
        self.running = {name: Echo(MAKE[name](capacity), MAKE[name](capacity)) for name in WAITING}


class Group:
    """Threads that each put and get on a queue of their own when they are told to."""

    def __init__(self, make: Callable[[], Any], threads: int) -> None:
        self.count = 0
        self.begin = threading.Barrier(threads + 1)
        self.end = threading.Barrier(threads + 1)
        self.threads = [
            threading.Thread(target=self.work, args=(make(),), daemon=True) for _ in range(threads)
        ]
        for thread in self.threads:
            thread.start()

    def work(self, made: Any) -> None:
        pairs = Pairs(made, 0)
        while self.begin.wait() >= 0 and self.count > 0:
            pairs.run(self.count)
            self.end.wait()

    def run(self, count: int) -> None:
        self.count = count // len(self.threads)
        self.begin.wait()
        self.end.wait()

    def close(self) -> None:
        self.count = 0
        self.begin.wait()
        for thread in self.threads:
            thread.join()


class Scaling(Contest):
    """Items put and got again by threads with a queue each: what one item takes all together."""

    contestants = WAITING
    params: ClassVar = ([1, 2],)
    param_names = ("threads",)
    count = 100_000

    def setup(self, threads: int) -> None:
        self.running = {name: Group(partial(MAKE[name], 1024), threads) for name in WAITING}


if not GIL:

    class SpinningEcho(Echo):
        """Both sides look over and over again, while they are told to go on."""

        def echo(self) -> None:
            get, put = self.there.try_get, self.back.put
            while (count := self.there.get()) is not None:
                put(True)
                for _ in repeat(None, count):
                    while get() is None:
                        pass
                    put(True)

        def run(self, count: int) -> None:
            put, get = self.there.put, self.back.try_get
            put(count)
            self.back.get()
            for _ in repeat(None, count):
                put(True)
                while get() is None:
                    pass

    class SpinningRoundTrip(Contest):
        """An item to another thread and back, both in loops; SimpleQueue waits.

        Only without the GIL. SimpleQueue in a loop takes thousands of times as long: who looks
        keeps the other one from putting.
        """

        contestants = tuple(name for name in WAITING if name != "queue")
        params: ClassVar = ([1024],)
        param_names = ("capacity",)
        item = "round trip"
        count = 1000

        def setup(self, capacity: int) -> None:
            self.running = {
                name: (SpinningEcho if name.startswith("dwcp") else Echo)(
                    MAKE[name](capacity), MAKE[name](capacity)
                )
                for name in self.contestants
            }
