"""Rings in shared memory, between processes.

`ByteRing` passes on messages between any number of processes and threads. A message is seen as a
whole or not at all: a process that is killed in the midst of writing leaves nothing behind, and
one that is killed while it reads leaves the message to the next one. Those who wait are told by
`dwcp.PeerLost` when the last one of the other side has died. docs/lockfree.md says more.

A ring is found by a name, or handed to other processes: it can be pickled where multiprocessing
does so (arguments of a Process with any start method, pipes and queues).
"""

import asyncio
import os
import pickle
import struct
import weakref
from collections.abc import Callable
from multiprocessing import util
from types import TracebackType
from typing import Any, NamedTuple, cast

from dwcp._core import lockfree_shared as _core
from dwcp._core.lockfree import ShutDown
from dwcp.typing import BufferLike

__all__ = ["ByteRing", "Segment", "remove_stale", "segments", "unlink"]

_NOTHING: Any = object()
# How long a helper thread of an event loop waits before it looks whether it is still wanted.
_WAIT_SECONDS = 0.1


class Segment(NamedTuple):
    """A ring that has a name."""

    name: str
    capacity: int
    in_use: bool


class ByteRing(_core.ByteRing):
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

    @classmethod
    def attach(cls, name: str) -> "ByteRing":
        """Join a ring that has a name.

        Raises
        ------
        FileNotFoundError
            When there is none.
        CorruptFrame
            When the file is no ring that this version can join.
        """
        return cls(name)._named(name)

    _name: str | None = None

    def _named(self, name: str | None) -> "ByteRing":
        self._name = name
        # A process that multiprocessing has forked ends without freeing its objects. Those who wait
        # for it would take that for a death.
        util.register_after_fork(self, _close_at_exit)
        return self

    @property
    def name(self) -> str | None:
        """What `attach` takes; None for a ring without a name."""
        return self._name

    def unlink(self) -> bool:
        """Remove the name, once; False when it is gone or there was none. Handles stay."""
        return self._name is not None and _core.unlink(self._name)

    def put_object(self, value: object, block: bool = True, timeout: float | None = None) -> None:
        """Put a pickled object; buffers in it, as those of arrays, are copied once.

        Raises what `put` raises, and pickle.PicklingError.
        """
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
        lengths = [part.nbytes for part in parts]
        index = memoryview(struct.pack(f"<{len(parts) + 1}Q", len(parts), *lengths))
        with self.reserve(index.nbytes + sum(lengths), block, timeout) as view:
            at = 0
            for part in (index, *parts):
                end = at + part.nbytes
                view[at:end] = part
                at = end

    def get_object(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take what `put_object` put. Only from processes that are trusted: see pickle.

        Raises what `get` raises, and what pickle.loads does.
        """
        with self.read(block, timeout) as view:
            (count,) = struct.unpack_from("<Q", view)
            lengths = struct.unpack_from(f"<{count}Q", view, 8)
            at = 8 * (count + 1)
            parts = []
            for length in lengths:
                parts.append(bytearray(view[at : at + length]))
                at += length
        return pickle.loads(parts[0], buffers=parts[1:])

    async def aput(self, data: BufferLike) -> None:
        """Put a message when there is room. Raises what `put` raises.

        A call that is cancelled has put nothing. A helper thread waits meanwhile.
        """
        size = memoryview(cast("bytes", data)).nbytes
        await self._until(lambda: self.try_put(data) or _NOTHING, size)

    async def aget(self) -> bytes:
        """Take the oldest message when there is one. Raises what `get` raises.

        A call that is cancelled has taken nothing. A helper thread waits meanwhile.
        """
        message: bytes = await self._until(lambda: self.try_get(_NOTHING), None)
        return message

    async def _until(self, attempt: Callable[[], Any], room: int | None) -> Any:
        while True:
            shut_down = self.is_shut_down
            result = attempt()
            if result is not _NOTHING:
                return result
            if shut_down:
                raise ShutDown
            if await asyncio.to_thread(self.wait, room, _WAIT_SECONDS):
                await asyncio.sleep(0)

    def __enter__(self) -> "ByteRing":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._name is not None:
            return _attach, (type(self), self._name)
        from multiprocessing.reduction import DupFd

        return _adopt, (type(self), DupFd(self.fileno()))

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"capacity={self.capacity}"
        return f"<{type(self).__name__} {self._name or 'without a name'}, {state}>"


def _close_at_exit(ring: ByteRing) -> None:
    util.Finalize(ring, _close, (weakref.ref(ring),), exitpriority=0)


def _close(reference: "weakref.ref[ByteRing]") -> None:
    ring = reference()
    if ring is not None:
        ring.close()


def _attach(kind: type[ByteRing], name: str) -> ByteRing:
    return kind.attach(name)


def _adopt(kind: type[ByteRing], duplicate: Any) -> ByteRing:
    fd = duplicate.detach()
    try:
        return kind(None, fd=fd)._named(None)
    finally:
        os.close(fd)


def segments() -> list[Segment]:
    """The caller's own rings that have a name, whoever uses them."""
    return [Segment(*found) for found in _core.segments()]


def remove_stale() -> list[str]:
    """Remove the names of the caller's own rings that no living process uses; returns them."""
    return _core.remove_stale()


def unlink(name: str) -> bool:
    """Remove a name; False when there is none. Those who have the ring keep it."""
    return _core.unlink(name)
