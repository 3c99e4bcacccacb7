"""The ring of messages between threads."""

from collections.abc import Callable
from typing import Any

from dwcp._core import lockfree as _core
from dwcp.lockfree._asynchronous import until
from dwcp.lockfree._messages import MessageCalls


class ByteRing(_core.ByteRing, MessageCalls):
    """A ring of messages between the threads of a process: first in, first out.

    Messages can be written and read in its memory, without a copy: `reserve` and `read`. The memory
    is mapped twice in a row, so that each message is one span.

    Parameters
    ----------
    capacity
        Longest message in bytes, from 1 to 2**40. Several messages fit whose bytes, rounded up
        to 8 and with 8 for each, are no more than the longest one would take.

    Notes
    -----
    Threads take turns on each side: while one writes or reads in place, others of its side wait. It
    is of no use to other processes, nor after a fork: `dwcp.lockfree.shared.ByteRing` is.

    Raises
    ------
    ValueError, TypeError
        For a capacity out of bounds.
    OSError
        When there is no memory.
    """

    __slots__ = ()

    async def _until(self, attempt: Callable[[], Any], room: int | None) -> Any:
        return await until(self, room is not None, attempt)
