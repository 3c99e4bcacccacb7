"""Rows of a table by their numbers, and what lies at a stride."""

from typing import TYPE_CHECKING, Any

import numpy as np

from dwcp._core.cache import gather_pieces, gather_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _bytes_of(array: "NDArray[Any]", name: str) -> "NDArray[np.uint8]":
    """Return the same memory as bytes; not all types are buffers."""
    if not array.flags.c_contiguous:
        raise BufferError(f"{name} must be C-contiguous")
    return array.reshape(-1).view(np.uint8)


def gather(
    table: "NDArray[Any]", rows: "ArrayLike", out: "NDArray[Any] | None" = None
) -> "NDArray[Any]":
    """Copy rows of a table in the order of their numbers, fetching those to come meanwhile.

    What `table[rows]` and `numpy.take(table, rows, axis=0)` give, except that numbers do not count
    from the end. Rows of 64 bytes and more go past the caches into an `out` that is given and has
    half of nontemporal_bytes_min() or more.

    Parameters
    ----------
    table
        C-contiguous array of one dimension or more, without objects; its rows are along the first.
    rows
        Numbers of rows, integers from 0 on, in one dimension; int64 and int32 are used as they are,
        others are converted.
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
    numbers = np.ascontiguousarray(numbers, np.int32 if numbers.dtype == np.int32 else np.int64)
    shape = (len(numbers), *table.shape[1:])
    # The kernel gives new memory by way of the cache.
    is_new = out is None
    if out is None:
        out = np.empty(shape, table.dtype)
    elif out.shape != shape or out.dtype != table.dtype:
        raise ValueError(f"out must have shape {shape} and type {table.dtype}")
    row_bytes = table.dtype.itemsize * int(np.prod(table.shape[1:], dtype=np.int64))
    if row_bytes == 0:
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(table)):
            raise ValueError(f"rows must be 0 to {len(table)} - 1, the rows of the table")
        return out
    narrow = numbers.dtype.itemsize == 4
    target = _bytes_of(out, "out")
    gather_rows(_bytes_of(table, "table"), row_bytes, numbers, narrow, target, is_new)
    return out


def gather_strided(view: "NDArray[Any]", out: "NDArray[Any] | None" = None) -> "NDArray[Any]":
    """Copy an array whose pieces along the first axis lie apart, fetching those to come meanwhile.

    What `numpy.ascontiguousarray(view)` gives, for every n-th row of a table, for one column, or
    for one field of records: ``table[5::7]``, ``table[:, 3]``, ``records["price"]``. It pays where
    pieces lie further apart than the processor foresees by itself, which is some 2 KiB.

    Parameters
    ----------
    view
        Array of one dimension or more, without objects; along its other axes it is C-contiguous.
    out
        C-contiguous array for the result; made when None.

    Returns
    -------
    numpy.ndarray
        `out`, of the shape of the view.

    Raises
    ------
    ValueError
        For an `out` of another shape or type, or one that overlaps the memory between the first
        and the last piece.
    TypeError
        For an array without dimensions or with objects.
    BufferError
        When the pieces, or `out`, are not C-contiguous, or `out` is read-only.
    """
    if view.ndim < 1 or view.dtype.hasobject:
        raise TypeError("view must be an array of one dimension or more, without objects")
    if out is None:
        out = np.empty(view.shape, view.dtype)
    elif out.shape != view.shape or out.dtype != view.dtype:
        raise ValueError(f"out must have shape {view.shape} and type {view.dtype}")
    target = _bytes_of(out, "out")
    if view.size == 0 or view.dtype.itemsize == 0:
        return out
    if view.ndim > 1 and not view[0].flags.c_contiguous:
        raise BufferError("view must be C-contiguous along all axes but the first")
    firsts = view
    while firsts.ndim > 1:
        firsts = firsts[:, 0]
    # Not all types are buffers.
    gather_pieces(firsts.view(f"V{view.dtype.itemsize}"), target.size // len(view), target)
    return out
