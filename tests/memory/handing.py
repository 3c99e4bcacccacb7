"""Threads that hand one another the buffers of a pool, of whichever kind."""

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dwcp.memory import Buffer


def address(buffer: Any) -> int:
    return np.frombuffer(buffer, np.uint8).ctypes.data


def changed_underway(buffers: Iterable[Buffer], put: Callable[[Buffer], None]) -> list[int]:
    """Fill buffers and have two threads put them; the fillings that somebody else wrote over."""
    handed: queue.SimpleQueue[tuple[Buffer, int] | None] = queue.SimpleQueue()
    wrong = []

    def consume() -> None:
        while (entry := handed.get()) is not None:
            buffer, value = entry
            if bytes(buffer) != bytes([value]) * len(buffer):
                wrong.append(value)
            put(buffer)

    threads = [threading.Thread(target=consume) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i, buffer in enumerate(buffers):
        memoryview(buffer)[:] = bytes([i % 256]) * len(buffer)
        handed.put((buffer, i % 256))
    for _ in threads:
        handed.put(None)
    for thread in threads:
        thread.join()
    return wrong


def refused_of_two_puts(buffers: list[Buffer], put: Callable[[Buffer], None]) -> list[Buffer]:
    """Have two threads put all buffers at the same time; those that were refused."""
    refused = []
    barrier = threading.Barrier(2)

    def put_all() -> None:
        barrier.wait()
        for buffer in buffers:
            try:
                put(buffer)
            except ValueError:
                refused.append(buffer)

    threads = [threading.Thread(target=put_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused
