"""Rings and queues of messages in shared memory, between processes.

`ByteRing` passes on messages of any length, and `MpmcQueue` messages of up to a fixed one, between
any number of processes and threads. A message is seen as a whole or not at all: a process that is
killed in the midst of writing leaves nothing behind, and one that is killed while it reads leaves
the message to the next one. Those who wait are told by `dwcp.PeerLost` when the last one of the
other side has died. docs/lockfree.md says more.

They are found by a name, or handed to other processes: they can be pickled where multiprocessing
does so (arguments of a Process with any start method, pipes and queues).
"""

import asyncio
import os
import weakref
from collections.abc import Callable
from multiprocessing import util
from typing import Any, NamedTuple, TypeVar, cast

from dwcp._core import lockfree_shared as _core
from dwcp.lockfree._messages import NOTHING, MessageCalls

__all__ = ["ByteRing", "MpmcQueue", "Segment", "remove_stale", "segments", "unlink"]

# How long a helper thread of an event loop waits before it looks whether it is still wanted.
_WAIT_SECONDS = 0.1


class Segment(NamedTuple):
    """A structure that has a name."""

    name: str
    kind: str
    capacity: int
    in_use: bool


_SharedT = TypeVar("_SharedT", bound="_Shared")


class _Shared(MessageCalls):
    """How a structure is named and handed over."""

    _name: str | None = None

    def _named(self: _SharedT, name: str | None) -> _SharedT:
        self._name = name
        # A process that multiprocessing has forked ends without freeing its objects. Those who wait
        # for it would take that for a death.
        util.register_after_fork(self, _close_at_exit)
        return self

    @classmethod
    def attach(cls: type[_SharedT], name: str) -> _SharedT:
        """Join one that has a name.

        Raises
        ------
        FileNotFoundError
            When there is none.
        CorruptFrame
            When the file is nothing of this kind that this version can join.
        """
        return _made(cls, name)._named(name)

    @property
    def name(self) -> str | None:
        """What `attach` takes; None where there is no name."""
        return self._name

    def unlink(self) -> bool:
        """Remove the name, once; False when it is gone or there was none. Handles stay."""
        return self._name is not None and _core.unlink(self._name)

    async def _until(self, attempt: Callable[[], Any], room: int | None) -> Any:
        while True:
            result = attempt()
            if result is not NOTHING:
                return result
            # A helper thread waits meanwhile.
            if await asyncio.to_thread(self._wait, room, _WAIT_SECONDS):
                await asyncio.sleep(0)

    def _state(self) -> str:
        return f"{self._name or 'without a name'}, {super()._state()}"

    def __reduce__(self: Any) -> tuple[Any, ...]:
        if self._name is not None:
            return type(self).attach, (self._name,)
        from multiprocessing.reduction import DupFd

        return _adopt, (type(self), DupFd(self.fileno()))


class ByteRing(_core.ByteRing, _Shared):
    """A ring of messages in shared memory: first in, first out.

    Made by `create` and `attach`. All calls may be made from any thread and process, also on one
    object; the producers of a ring take turns, and so do the consumers. After a fork the child may
    go on with the object. A context manager: leaving it closes this handle.

    Notes
    -----
    All processes must be in one PID namespace. The memory is as safe as its file: every process
    that may open it can damage what is in it, which raises `dwcp.CorruptFrame` where it is noticed.
    """

    @classmethod
    def create(cls, name: str | None, capacity: int) -> "ByteRing":
        """Make a ring.

        Parameters
        ----------
        name
            1 to 200 letters, digits and the signs . _ - by which others find it, or None.
            It stays until `unlink`.
        capacity
            Longest message in bytes, from 1 to 2**40. Several messages fit whose bytes, rounded up
            to 8 and with 8 for each, are no more than the longest one would take. The memory is
            taken at once.

        Raises
        ------
        FileExistsError
            When the name is taken.
        ValueError
            For a capacity or a name out of bounds.
        OSError
            When there is not enough memory (ENOSPC).
        """
        return cls(name, capacity)._named(name)


class MpmcQueue(_core.MpmcQueue, _Shared):
    """A queue of messages in shared memory, each in a slot of its own.

    Made by `create` and `attach`. All calls may be made from any thread and process, also on one
    object. Unlike in a ring, any number of them write and read at the same time. After a fork the
    child may go on with the object. A context manager: leaving it closes this handle.

    Notes
    -----
    A message that is being written in place holds up those behind it; one that is being read does
    not. A message that comes back, because its block ended with an exception or its consumer died,
    is taken by the next one who looks: it may come behind some that were put later. What is said
    of ByteRing about namespaces and damage holds here too.
    """

    @classmethod
    def create(cls, name: str | None, capacity: int, slot_bytes: int) -> "MpmcQueue":
        """Make a queue.

        Parameters
        ----------
        name
            1 to 200 letters, digits and the signs . _ - by which others find it, or None.
            It stays until `unlink`.
        capacity
            Number of messages, from 1 to 2**32; a power of two is the fastest.
        slot_bytes
            Longest message in bytes, from 1 to 2**40. The memory for all of them is taken at once.

        Raises
        ------
        FileExistsError
            When the name is taken.
        ValueError
            For sizes or a name out of bounds.
        OSError
            When there is not enough memory (ENOSPC).
        """
        return cls(name, capacity, slot_bytes)._named(name)


def _close_at_exit(ring: _Shared) -> None:
    util.Finalize(ring, _close, (weakref.ref(ring),), exitpriority=0)


def _close(reference: "weakref.ref[_Shared]") -> None:
    ring = reference()
    if ring is not None:
        ring.close()


def _made(kind: type[_SharedT], name: str | None, **arguments: Any) -> _SharedT:
    """What the constructors of the kinds have in common, which their base class has not."""
    return cast("Callable[..., _SharedT]", kind)(name, **arguments)


def _adopt(kind: type[_SharedT], duplicate: Any) -> _SharedT:
    fd = duplicate.detach()
    try:
        return _made(kind, None, fd=fd)._named(None)
    finally:
        os.close(fd)


def segments() -> list[Segment]:
    """The caller's own structures that have a name, whoever uses them."""
    return [Segment(*found) for found in _core.segments()]


def remove_stale() -> list[str]:
    """Remove the names of the caller's own structures that no living process uses; returns them."""
    return _core.remove_stale()


def unlink(name: str) -> bool:
    """Remove a name; False when there is none. Those who have what it names keep it."""
    return _core.unlink(name)
