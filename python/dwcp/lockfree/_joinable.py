"""A queue that knows when the work on its items is done."""

import threading
import time
from collections.abc import Iterable
from typing import TypeVar

from dwcp.lockfree._structures import Queue

_ItemT = TypeVar("_ItemT")


class JoinableQueue(Queue[_ItemT]):
    """An unbounded queue with task_done() and join(), as queue.Queue has them.

    The count of unfinished items is kept under a lock, which makes put() dearer than that of Queue.
    """

    def __init__(self) -> None:
        self._unfinished = 0
        self._changed = threading.Condition()

    def _add(self, count: int) -> None:
        with self._changed:
            self._unfinished += count
            if self._unfinished == 0:
                self._changed.notify_all()

    def put(self, item: _ItemT, block: bool = True, timeout: float | None = None) -> None:
        """Put an item, which task_done() has to be called for."""
        # Counted first: whoever takes the item may be done with it at once.
        self._add(1)
        try:
            super().put(item, block, timeout)
        except BaseException:
            self._add(-1)
            raise

    def put_nowait(self, item: _ItemT, /) -> None:
        """Put an item without waiting."""
        self.put(item, block=False)

    def try_put(self, item: _ItemT, /) -> bool:
        """Put an item unless the queue is shut down."""
        self._add(1)
        done = False
        try:
            done = super().try_put(item)
        finally:
            if not done:
                self._add(-1)
        return done

    def put_many(
        self, items: Iterable[_ItemT], block: bool = True, timeout: float | None = None
    ) -> int:
        """Put items and return how many; task_done() has to be called for each."""
        items = tuple(items)
        self._add(len(items))
        done = 0
        try:
            done = super().put_many(items, block, timeout)
        finally:
            if done != len(items):
                self._add(done - len(items))
        return done

    def clear(self) -> None:
        """Drop all items; they count as done."""
        while True:
            # Not more than were counted, also with other threads.
            dropped = super().get_many(1024, block=False) if self.qsize() else []
            if not dropped:
                return
            self._add(-len(dropped))

    def shutdown(self, immediate: bool = False) -> None:
        """Let nothing more be put; `immediate` drops the items, which then count as done."""
        super().shutdown()
        if immediate:
            self.clear()

    def task_done(self) -> None:
        """Say that the work on an item that was taken is done.

        Raises
        ------
        ValueError
            When it is called more often than items were put.
        """
        with self._changed:
            if self._unfinished <= 0:
                raise ValueError("task_done() called too many times")
            self._unfinished -= 1
            if self._unfinished == 0:
                self._changed.notify_all()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the work on all items is done.

        Parameters
        ----------
        timeout
            Seconds after which TimeoutError is raised; None waits without end, as queue.Queue does.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._unfinished:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{self._unfinished} items are not done")
                self._changed.wait(left)
