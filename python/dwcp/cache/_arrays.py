"""Arrays that begin where one wants them, or whose elements have lines of their own."""

import math
import operator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dwcp._core.cache import LINE_BYTES, SEPARATION_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    from dwcp.typing import BufferLike

# The largest pages of processors.
_ALIGN_MAX = 1 << 30
# Of more NumPy cannot make an array.
_BYTES_MAX = 1 << 62


def _checked_align(align: int) -> int:
    number = operator.index(align)
    if not 1 <= number <= _ALIGN_MAX or number & (number - 1):
        raise ValueError(f"align must be a power of two from 1 to 2^30, but is {align}")
    return number


def _checked_dtype(dtype: "DTypeLike") -> "np.dtype[Any]":
    # As NumPy has it where a type leaves its length open.
    kind = np.empty(0, dtype).dtype
    if kind.hasobject:
        raise TypeError(f"dtype must be without objects, but is {kind}")
    return kind


def _aligned_memory(
    make: "Callable[..., NDArray[np.uint8]]", size: int, align: int
) -> "tuple[NDArray[np.uint8], int]":
    """Memory, and the place in it from which on `size` bytes are aligned."""
    if size > _BYTES_MAX:
        raise MemoryError(f"there is no memory of {size} bytes")
    memory = make(size + align - 1, np.uint8)
    return memory, -memory.ctypes.data % align


def _aligned(
    make: "Callable[..., NDArray[np.uint8]]",
    shape: int | tuple[int, ...],
    dtype: "DTypeLike",
    align: int,
    order: Literal["C", "F"],
) -> "NDArray[Any]":
    align = _checked_align(align)
    kind = _checked_dtype(dtype)
    if order not in ("C", "F"):
        raise ValueError(f"order must be 'C' or 'F', but is {order!r}")
    lengths = shape if isinstance(shape, tuple | list) else (shape,)
    lengths = tuple(operator.index(length) for length in lengths)
    if any(length < 0 for length in lengths):
        raise ValueError(f"shape must have no negative lengths, but is {shape}")
    # One byte at least, as NumPy does, so that it has a place.
    size = max(1, math.prod(lengths) * kind.itemsize)
    memory, begin = _aligned_memory(make, size, align)
    array: NDArray[Any] = np.ndarray(lengths, kind, memory, begin, order=order)
    return array


def aligned_empty(
    shape: int | tuple[int, ...],
    dtype: "DTypeLike" = float,
    *,
    align: int = LINE_BYTES,
    order: Literal["C", "F"] = "C",
) -> "NDArray[Any]":
    """Make an array whose memory begins at a multiple of `align`; its contents are arbitrary.

    Rows of whole lines are then read and written line by line, and none of two. Copies, and what
    is made of the array, are NumPy's own again, which begin at a multiple of 16 only.

    Parameters
    ----------
    shape
        Length, or lengths along each axis.
    dtype
        Type of the elements, without objects.
    align
        Bytes, a power of two from 1 to 2^30: 64 for a line, 4096 for a page, 2 MiB for a huge one.
    order
        'C' for rows that are contiguous, 'F' for columns.

    Returns
    -------
    numpy.ndarray
        Of that shape and type.

    Raises
    ------
    ValueError
        For another alignment or order, or a negative length.
    TypeError
        For types with objects, and lengths that are no integers.
    MemoryError
        When there is not so much memory.
    """
    return _aligned(np.empty, shape, dtype, align, order)


def aligned_zeros(
    shape: int | tuple[int, ...],
    dtype: "DTypeLike" = float,
    *,
    align: int = LINE_BYTES,
    order: Literal["C", "F"] = "C",
) -> "NDArray[Any]":
    """Make an array of zeros whose memory begins at a multiple of `align`: see `aligned_empty`."""
    return _aligned(np.zeros, shape, dtype, align, order)


def padded_empty(count: int, dtype: "DTypeLike" = float) -> "NDArray[Any]":
    """Make an array of one dimension whose elements have lines of their own.

    What one thread writes to its element does not slow down those that use the others. The array is
    strided: elements lie 128 bytes apart, or more where they are larger. Its contents are
    arbitrary. NumPy adds without atomic operations: for numbers that several threads add to, there
    is `PaddedCounter`.

    Parameters
    ----------
    count
        Elements, from 0 on.
    dtype
        Their type, without objects.

    Returns
    -------
    numpy.ndarray
        Of shape ``(count,)``.

    Raises
    ------
    ValueError
        For a negative count.
    TypeError
        For types with objects, and a count that is no integer.
    MemoryError
        When there is not so much memory.
    """
    kind = _checked_dtype(dtype)
    number = operator.index(count)
    if number < 0:
        raise ValueError(f"count must be at least 0, but is {count}")
    step = max(1, math.ceil(kind.itemsize / SEPARATION_BYTES)) * SEPARATION_BYTES
    memory, begin = _aligned_memory(np.empty, max(1, number) * step, SEPARATION_BYTES)
    array: NDArray[Any] = np.ndarray((number,), kind, memory, begin, (step,))
    return array


def is_aligned(data: "BufferLike", align: int = LINE_BYTES) -> bool:
    """Whether the memory of a buffer begins at a multiple of `align`.

    Parameters
    ----------
    data
        A buffer, or an array of any type and strides.
    align
        Bytes, a power of two from 1 to 2^30.

    Returns
    -------
    bool
        Also for buffers without bytes.

    Raises
    ------
    ValueError
        For another alignment.
    TypeError
        When `data` is no buffer.
    """
    align = _checked_align(align)
    array = data if isinstance(data, np.ndarray) else np.asarray(memoryview(data))
    return bool(array.ctypes.data % align == 0)
