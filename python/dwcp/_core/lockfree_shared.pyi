from collections.abc import Iterable
from typing import Any

import dwcp.typing


class Writing:
    """A message that is being written in its place."""

    def __enter__(self) -> memoryview: ...

    def __exit__(self, type: object, value: object, traceback: object) -> None: ...

class Reading:
    """A message that is being read in its place."""

    def __enter__(self) -> memoryview: ...

    def __exit__(self, type: object, value: object, traceback: object) -> None: ...

class ByteRing:
    """
    A ring of messages in shared memory; use dwcp.lockfree.shared.ByteRing.
    """

    def __init__(self, name: str | None, capacity: int | None = None, fd: int | None = None) -> None: ...

    def put(self, data: dwcp.typing.BufferLike, block: bool = True, timeout: float | None = None) -> None:
        """
        Put a message of any number of bytes up to the capacity, 0 too, waiting for room.

        Waits for at most `timeout` seconds, and not at all unless `block`. The GIL is
        released while waiting and for long messages. Raises queue.Full when there was no
        room in time, ShutDown, PeerLost when the last consumer has died, ValueError for a
        message that is too long, Closed.
        """

    def try_put(self, data: dwcp.typing.BufferLike) -> bool:
        """
        Put a message if there is room and no other producer is at it. Never waits.
        """

    def put_many(self, items: Iterable[dwcp.typing.BufferLike], block: bool = True, timeout: float | None = None) -> int:
        """
        Put messages in their order and return how many: fewer than all when the time ran
        out or shutdown() came. Otherwise raises what put() raises.
        """

    def get(self, block: bool = True, timeout: float | None = None) -> bytes:
        """
        Take the oldest message, waiting for one.

        Raises queue.Empty when none came in time, ShutDown when the ring is empty after
        shutdown(), PeerLost when it is empty and the last producer has died, Closed.
        """

    def try_get(self, default: Any = None) -> Any:
        """
        Take the oldest message if there is one and no other consumer is at it, else return
        `default`. Never waits.
        """

    def get_into(self, out: dwcp.typing.BufferLike, block: bool = True, timeout: float | None = None) -> int:
        """
        Take the oldest message into a writable buffer and return its length in bytes.

        Raises ValueError when it is longer than `out`; it stays then. Else as get().
        """

    def get_many(self, max: int, block: bool = True, timeout: float | None = None) -> list[bytes]:
        """
        Take at most `max` messages (from 1), waiting as get() does for the first.
        """

    def reserve(self, size: int, block: bool = True, timeout: float | None = None) -> Writing:
        """
        A message of `size` bytes to be written in the ring itself: `with ring.reserve(n) as
        view:`. It is put when the block ends, and dropped when an exception ends it. Other
        producers wait meanwhile. Raises what put() raises.
        """

    def read(self, block: bool = True, timeout: float | None = None) -> Reading:
        """
        The oldest message, to be read in the ring itself: `with ring.read() as view:`. It is
        taken when the block ends, and stays when an exception ends it. Other consumers wait
        meanwhile. Raises what get() raises.
        """

    def qsize(self) -> int:
        """
        Messages that are there; one too many or too few for each process that was killed in
        the midst of a call.
        """

    def empty(self) -> bool:
        """Whether there is no message; may be outdated at once."""

    def used_bytes(self) -> int:
        """Bytes in use: of each message its own, rounded up to 8, and 8 more."""

    def wait(self, room: int | None, seconds: float) -> bool:
        """
        Wait without putting or taking: for room for a message of `room` bytes, or with None for
        a message. False when there was none within so many seconds. Raises what put() and get()
        raise but for Full and Empty.
        """

    def shutdown(self, immediate: bool = False) -> None:
        """
        Let nothing more be put, in all processes, and wake all who wait.

        What is there can still be taken; `immediate` drops it.
        """

    def close(self) -> None:
        """
        Give the ring up; further calls raise Closed. The name and other handles stay.
        """

    @property
    def closed(self) -> bool:
        """Whether close() was called."""

    @property
    def is_shut_down(self) -> bool:
        """Whether shutdown() was called, by anybody."""

    @property
    def capacity(self) -> int:
        """Longest message in bytes."""

    def fileno(self) -> int:
        """Descriptor of the memory; it stays the ring's."""

def segments() -> list[tuple[str, int, bool]]:
    """
    The caller's rings that have a name: name, capacity in bytes, and whether a process that
    lives uses it.
    """

def remove_stale() -> list[str]:
    """
    Remove the names of the caller's rings that no living process uses; returns them.
    """

def unlink(name: str) -> bool:
    """
    Remove a name; False when there is none. Those who have the ring keep it.
    """
