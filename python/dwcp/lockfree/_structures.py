"""The structures with both kinds of calls: for threads, and for event loops."""

from typing import TypeVar

from dwcp._core import lockfree as _core
from dwcp.lockfree._asynchronous import Awaitable

_ItemT = TypeVar("_ItemT")


class SpscRing(_core.SpscRing[_ItemT], Awaitable[_ItemT]):
    """A ring for one thread that puts and one that gets: first in, first out.

    Parameters
    ----------
    capacity
        Number of items, from 1.

    Notes
    -----
    More threads on a side do no harm: they take turns. MpmcQueue is meant for them.

    Raises
    ------
    ValueError, TypeError, MemoryError
        For a capacity that is no positive int or that there is no memory for.
    """

    __slots__ = ()


class MpmcQueue(_core.MpmcQueue[_ItemT], Awaitable[_ItemT]):
    """A bounded queue for any number of threads: first in, first out.

    Parameters
    ----------
    capacity
        Number of items, from 1; a power of two is the fastest.

    Notes
    -----
    After D. Vyukov's bounded MPMC queue. A call of another thread that is under way may hold up the
    calls for later items: try_put() and try_get() may then fail although qsize() says otherwise.

    Raises
    ------
    ValueError, TypeError, MemoryError
        For a capacity that is no positive int or that there is no memory for.
    """

    __slots__ = ()


class Queue(_core.Queue[_ItemT], Awaitable[_ItemT]):
    """An unbounded queue for any number of threads: first in, first out.

    Memory stays at the most that was ever needed at once, until the queue is gone. A call of
    another thread that is under way may hold up the calls for later items.
    """

    __slots__ = ()


class Stack(_core.Stack[_ItemT], Awaitable[_ItemT]):
    """An unbounded stack for any number of threads: last in, first out.

    After R. K. Treiber (1986). Memory stays at the most that was ever needed at once, until the
    stack is gone. put_many() leaves the last item on top; get_many() gives the top first.
    """

    __slots__ = ()
