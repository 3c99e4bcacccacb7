"""Chunks of a buffer, while those to come are fetched."""

import mmap
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from dwcp._core.cache import Stream

if TYPE_CHECKING:
    from dwcp.typing import BufferLike

_DISTANCE_MAX = 1024
_BYTES_MAX = 2**63 - 1


def _is_mapped(data: Any) -> bool:
    """Whether the memory of a buffer is that of an mmap object."""
    while True:
        if isinstance(data, mmap.mmap):
            return True
        if isinstance(data, memoryview):
            data = data.obj
        elif isinstance(data, np.ndarray):
            data = data.base
        else:
            return False


def _checked(value: int, name: str, least: int, most: int) -> int:
    number = operator.index(value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be {least} to {most}, but is {number}")
    return number


def stream(
    data: "BufferLike",
    chunk: int,
    *,
    distance: int = 1,
    stride: int | None = None,
    advise: bool | None = None,
) -> Stream:
    """Iterate over the chunks of a buffer, while those to come are fetched.

    The processor is asked for the next chunks. Of a mapping of a file the kernel is told that it is
    read from begin to end, until the stream goes; chunks that lie 64 KiB and more apart, which it
    does not foresee, it is asked for some ahead, and reads them while the one at hand is worked on.

    Parameters
    ----------
    data
        C-contiguous buffer.
    chunk
        Length of a chunk in bytes, from 1 on; the last one may be shorter.
    distance
        Of how many chunks ahead the processor is asked for the beginning, 4 KiB of each, 256 bytes
        where they touch, and 128 KiB of all; the kernel for all of those that lie apart (4 at
        least). 0 to 1024.
    stride
        Bytes from the begin of one chunk to that of the next, from 1 on; None for `chunk`.
    advise
        Whether the kernel is told: None for memory of an `mmap.mmap`, also by way of memoryviews
        and arrays, such as `numpy.memmap`.

    Returns
    -------
    Stream
        An iterator of memoryviews, which are writable when `data` is. For how much the kernel was
        told, and why it refused, is in its `advised_bytes` and `refusal`. Threads may share it:
        each chunk goes to one of them.

    Raises
    ------
    ValueError
        For a chunk, distance or stride out of bounds.
    TypeError
        When one of them is no integer, or `data` no buffer.
    BufferError
        When `data` is not C-contiguous.
    """
    size = _checked(chunk, "chunk", 1, _BYTES_MAX)
    ahead = _checked(distance, "distance", 0, _DISTANCE_MAX)
    step = 0 if stride is None else _checked(stride, "stride", 1, _BYTES_MAX)
    mapped = _is_mapped(data) if advise is None else advise
    return Stream(data, size, ahead, step, mapped)
