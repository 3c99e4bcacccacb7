"""Memory on huge pages, where they can be had."""

from dwcp._core.placed_memory import PlacedMemory
from dwcp._core.placed_memory import allocate as _allocate

__all__ = ["PlacedMemory", "allocate"]


def allocate(size: int, *, lock: bool = False) -> PlacedMemory:
    """Allocate memory on huge pages of 2 MiB, or on plain ones where there are none.

    Reserved huge pages are tried first, then those that the kernel makes of plain ones; `kind` and
    `reason` of the result tell which it got, and why. May be called from any thread; the GIL is
    released.

    Parameters
    ----------
    size
        Bytes, 1 to 2^46; rounded up to 2 MiB.
    lock
        Whether it must never be swapped out.

    Returns
    -------
    PlacedMemory
        A writable buffer, zeros, whose pages are there.

    Raises
    ------
    ValueError
        For a size out of bounds.
    OSError
        When there is not so much memory, or it may not be locked: the message says what to raise.
    """
    return _allocate(size=size, huge=True, placing="default", nodes=[], lock=lock)
