"""Queues between threads, beside those of the standard library.

A rate in GB/s counts eight bytes, a reference, for each item.
"""

import queue
import threading
from collections import deque
from typing import Any, ClassVar

from dwcp import lockfree

REPEAT = 256


def make(name: str) -> Any:
    kind = getattr(lockfree, name)
    return kind(1024) if name in ("MpmcQueue", "SpscRing") else kind()


def put_and_get(put: Any, get: Any) -> None:
    for _ in range(REPEAT):
        put(None)
        get()


class PutGet:
    """One item put and got again by one thread."""

    params: ClassVar = (["MpmcQueue", "SpscRing", "Queue", "Stack"],)
    param_names = ("structure",)

    def setup(self, structure: str) -> None:
        self.ours = make(structure)
        self.simple: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.queue: queue.Queue[None] = queue.Queue()
        self.deque: deque[None] = deque()

    def volume(self, structure: str) -> int:
        return 8 * REPEAT

    def time_dwcp(self, structure: str) -> None:
        put_and_get(self.ours.put, self.ours.get)

    def time_simple_queue(self, structure: str) -> None:
        put_and_get(self.simple.put, self.simple.get)

    def time_queue(self, structure: str) -> None:
        put_and_get(self.queue.put, self.queue.get)

    def time_deque(self, structure: str) -> None:
        put_and_get(self.deque.append, self.deque.popleft)


class Batches:
    """256 items put and got again by one thread, by one call each where there is one."""

    params: ClassVar = (["MpmcQueue", "SpscRing", "Queue", "Stack"],)
    param_names = ("structure",)

    def setup(self, structure: str) -> None:
        self.items = list(range(REPEAT))
        self.ours = make(structure)
        self.simple: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.deque: deque[int] = deque()

    def volume(self, structure: str) -> int:
        return 8 * REPEAT

    def time_dwcp(self, structure: str) -> None:
        self.ours.put_many(self.items)
        self.ours.get_many(REPEAT)

    def time_simple_queue(self, structure: str) -> None:
        for item in self.items:
            self.simple.put(item)
        get = self.simple.get
        [get() for _ in self.items]

    def time_deque(self, structure: str) -> None:
        self.deque.extend(self.items)
        get = self.deque.popleft
        [get() for _ in self.items]


class Echo:
    """A thread that puts back what it gets."""

    def __init__(self, there: Any, back: Any) -> None:
        self.there, self.back = there, back
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while (item := self.there.get()) is not None:
            self.back.put(item)

    def trips(self, count: int) -> None:
        for _ in range(count):
            self.there.put(True)
            self.back.get()

    def close(self) -> None:
        self.there.put(None)
        self.thread.join()


class RoundTrip:
    """An item to another thread and back, both waiting."""

    params: ClassVar = (["MpmcQueue", "SpscRing", "Queue", "Stack"],)
    param_names = ("structure",)
    trips = 100

    def setup(self, structure: str) -> None:
        self.ours = Echo(make(structure), make(structure))
        self.simple = Echo(queue.SimpleQueue(), queue.SimpleQueue())
        self.queue = Echo(queue.Queue(), queue.Queue())

    def teardown(self, structure: str) -> None:
        for echo in (self.ours, self.simple, self.queue):
            echo.close()

    def volume(self, structure: str) -> int:
        return 8 * self.trips

    def time_dwcp(self, structure: str) -> None:
        self.ours.trips(self.trips)

    def time_simple_queue(self, structure: str) -> None:
        self.simple.trips(self.trips)

    def time_queue(self, structure: str) -> None:
        self.queue.trips(self.trips)
