"""Rows of a table, against NumPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwcp import cache


@given(
    st.sampled_from(["u1", "<f4", ">i8", "c16", "S7", "M8[s]"]),
    st.lists(st.integers(1, 6), min_size=0, max_size=2),
    st.integers(1, 50),
    st.data(),
)
def test_it_is_what_numpy_takes(kind: str, inner: list[int], count: int, data: Any) -> None:
    size = count * int(np.prod(inner, dtype=int)) * np.dtype(kind).itemsize
    table = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    table = table.view(kind).reshape(count, *inner)
    rows = data.draw(st.lists(st.integers(0, count - 1), max_size=80))
    expected = table[np.array(rows, np.int64)]
    assert cache.gather(table, rows).tobytes() == expected.tobytes()
    for integers in ("i4", "u2", "u8"):
        out = np.empty_like(expected)
        assert cache.gather(table, np.array(rows, integers), out=out) is out
        assert out.tobytes() == expected.tobytes()


def test_large_tables_and_strided_rows() -> None:
    random = np.random.default_rng(1)
    table = random.random((100_000, 16), np.float32)
    rows = random.integers(0, len(table), 300_000)
    assert np.array_equal(cache.gather(table, rows), table[rows])
    assert np.array_equal(cache.gather(table, rows[::-3]), table[rows[::-3]])


@pytest.mark.parametrize("row", [10, -1, 2**62, 2**63 - 1, -(2**63)])
def test_rows_that_are_not_there_are_refused(row: int) -> None:
    table = np.arange(20.0).reshape(10, 2)
    out = np.zeros((3, 2))
    with pytest.raises(ValueError, match="rows must be 0 to 10 - 1"):
        cache.gather(table, [0, 1, row], out)
    assert not out.any()


def test_rows_without_bytes() -> None:
    table = np.empty((5, 0))
    assert cache.gather(table, [0, 4]).shape == (2, 0)
    with pytest.raises(ValueError, match="rows must be"):
        cache.gather(table, [5])
    with pytest.raises(ValueError, match="rows must be"):
        cache.gather(np.empty((0, 3)), [0])
    assert cache.gather(np.empty((0, 3)), []).shape == (0, 3)


def test_what_does_not_fit_is_refused() -> None:
    table = np.arange(20.0).reshape(10, 2)
    with pytest.raises(TypeError, match="integers, not float64"):
        cache.gather(table, [0.5])
    with pytest.raises(TypeError, match="integers, not bool"):
        cache.gather(table, np.ones(10, bool))
    with pytest.raises(ValueError, match="one dimension"):
        cache.gather(table, [[0, 1]])
    with pytest.raises(ValueError, match="out must have shape"):
        cache.gather(table, [0], np.empty((2, 2)))
    with pytest.raises(ValueError, match="out must have shape"):
        cache.gather(table, [0], np.empty((1, 2), np.float32))
    with pytest.raises(ValueError, match="overlap"):
        cache.gather(table, [3, 2], table[5:7])
    with pytest.raises(BufferError):
        cache.gather(np.asfortranarray(table), [0])
    with pytest.raises(TypeError, match="without objects"):
        cache.gather(np.array([None]), [0])
    frozen = np.empty((1, 2))
    frozen.flags.writeable = False
    with pytest.raises(BufferError):
        cache.gather(table, [0], frozen)


def test_prefetching_changes_nothing() -> None:
    data = bytearray(range(256))
    for write in (False, True):
        for locality in range(4):
            cache.prefetch(data, write=write, locality=locality)
    cache.prefetch(b"")
    assert data == bytes(range(256))
    for wrong in (-1, 4):
        with pytest.raises(ValueError, match="locality must be 0 to 3"):
            cache.prefetch(data, locality=wrong)
    with pytest.raises(TypeError, match="data"):
        cache.prefetch(None)  # type: ignore[arg-type]
