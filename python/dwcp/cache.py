"""Memory that is fetched before it is needed: `prefetch`, and `gather` for rows of a table.

All functions may be called from any thread; `gather` releases the GIL for 64 KiB and more.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from dwcp._core.cache import gather_rows, prefetch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["gather", "prefetch"]


def _bytes_of(array: "NDArray[Any]", name: str) -> "NDArray[np.uint8]":
    """Return the same memory as bytes; not all types are buffers."""
    if not array.flags.c_contiguous:
        raise BufferError(f"{name} must be C-contiguous")
    return array.reshape(-1).view(np.uint8)


def gather(
    table: "NDArray[Any]", rows: "ArrayLike", out: "NDArray[Any] | None" = None
) -> "NDArray[Any]":
    """Copy rows of a table in the order of their numbers, fetching those to come meanwhile.

    What `table[rows]` and `numpy.take(table, rows, axis=0)` give.

    Parameters
    ----------
    table
        C-contiguous array of one dimension or more, without objects; its rows are along the first.
    rows
        Numbers of rows, integers from 0 on, in one dimension.
    out
        C-contiguous array for the result; made when None.

    Returns
    -------
    numpy.ndarray
        `out`, of shape ``(len(rows), *table.shape[1:])``.

    Raises
    ------
    ValueError
        For a row that is not there, for arrays of another shape, or one that overlaps the table;
        nothing was written.
    TypeError
        When a row is no integer, or for types that do not fit.
    BufferError
        For arrays that are not C-contiguous, or an `out` that is read-only.
    """
    if table.ndim < 1 or table.dtype.hasobject:
        raise TypeError("table must be an array of one dimension or more, without objects")
    numbers = np.asarray(rows)
    if numbers.size == 0:
        numbers = numbers.astype(np.int64)
    if numbers.ndim != 1:
        raise ValueError(f"rows must have one dimension, but have {numbers.ndim}")
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"rows must be integers, not {numbers.dtype}")
    # Beyond 2^63 they become negative, which no row is.
    numbers = np.ascontiguousarray(numbers, np.int64)
    shape = (len(numbers), *table.shape[1:])
    if out is None:
        out = np.empty(shape, table.dtype)
    elif out.shape != shape or out.dtype != table.dtype:
        raise ValueError(f"out must have shape {shape} and type {table.dtype}")
    row_bytes = table.dtype.itemsize * int(np.prod(table.shape[1:], dtype=np.int64))
    if row_bytes == 0:
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(table)):
            raise ValueError(f"rows must be 0 to {len(table)} - 1, the rows of the table")
        return out
    gather_rows(_bytes_of(table, "table"), row_bytes, numbers, _bytes_of(out, "out"))
    return out
