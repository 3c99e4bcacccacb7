"""Waiting for a structure in an asyncio event loop.

For each loop and side of a structure there is one eventfd, to which the structure writes when there
are items, or room. It lives as long as somebody waits.
"""

import asyncio
import os
import queue
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from dwcp._core.lockfree import ShutDown, Structure
from dwcp.lockfree._messages import NOTHING

_ItemT = TypeVar("_ItemT")
_ResultT = TypeVar("_ResultT")


class _Source(Protocol):
    """What tells eventfds that there are items, or room."""

    def _add_listener(self, fd: int, for_room: bool, /) -> None: ...
    def _remove_listener(self, fd: int, for_room: bool, /) -> None: ...


class _Listener:
    """The tasks of one loop that wait for one side of a structure; in their order."""

    def __init__(self, structure: _Source, loop: asyncio.AbstractEventLoop, for_room: bool) -> None:
        self._structure = structure
        self._loop = loop
        self._for_room = for_room
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.users = 0
        structure._add_listener(self._fd, for_room)
        loop.add_reader(self._fd, self._on_change)

    def _on_change(self) -> None:
        try:
            count = os.eventfd_read(self._fd)
        except BlockingIOError:
            return
        self._wake(count)

    def _wake(self, count: int) -> None:
        while count > 0 and self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1

    async def wait(self) -> None:
        """Return when something changed."""
        future = self._loop.create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._wake(1)  # the change is for somebody else then
            raise

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._structure._remove_listener(self._fd, self._for_room)
        os.close(self._fd)


# A listener keeps its structure and its loop, so that no other ones get their identities.
_listeners: "dict[tuple[int, int, bool], _Listener]" = {}


async def until(structure: _Source, for_room: bool, attempt: Callable[[], _ResultT]) -> _ResultT:
    """Call `attempt` until it returns something else than NOTHING, waiting in between."""
    result = attempt()
    if result is not NOTHING:
        return result
    loop = asyncio.get_running_loop()
    key = (id(structure), id(loop), for_room)
    listener = _listeners.get(key)
    if listener is None:
        listener = _listeners[key] = _Listener(structure, loop, for_room)
    listener.users += 1
    try:
        while True:
            # The listener is there: what changes from here on is not missed.
            result = attempt()
            if result is not NOTHING:
                return result
            await listener.wait()
    finally:
        listener.users -= 1
        if listener.users == 0:
            del _listeners[key]
            listener.close()


class Awaitable(Structure[_ItemT], Generic[_ItemT]):
    """The calls of a structure that an event loop can await.

    They may be used from any number of loops and beside the calls for threads. A call that is
    cancelled has put or taken nothing. For a timeout use asyncio.timeout() or asyncio.wait_for().
    """

    __slots__ = ()

    async def aput(self, item: _ItemT) -> None:
        """Put an item when there is room.

        Raises
        ------
        ShutDown
            After shutdown().
        """

        def attempt() -> Any:
            if self.is_shut_down:
                raise ShutDown
            return True if self.try_put(item) else NOTHING

        await until(self, True, attempt)

    async def aget(self) -> _ItemT:
        """Take an item when there is one.

        Raises
        ------
        ShutDown
            When the structure is empty after shutdown().
        """

        def attempt() -> Any:
            # What was put before the shutdown can be got after it.
            shut_down = self.is_shut_down
            item = self.try_get(NOTHING)
            if item is NOTHING and shut_down:
                raise ShutDown
            return item

        item: _ItemT = await until(self, False, attempt)
        return item

    async def aget_many(self, max: int) -> list[_ItemT]:
        """Take at most `max` items (from 1) when there are any.

        Raises
        ------
        ShutDown
            When the structure is empty after shutdown().
        """

        def attempt() -> Any:
            try:
                return self.get_many(max, block=False)
            except queue.Empty:
                return NOTHING

        items: list[_ItemT] = await until(self, False, attempt)
        return items
