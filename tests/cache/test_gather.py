"""Rows of a table, against NumPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwcp import cache

MIB = 1 << 20


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


@pytest.mark.parametrize("row", [10, -1, 2**31 - 1, -(2**31), 2**62, 2**63 - 1, -(2**63)])
def test_rows_that_are_not_there_are_refused(row: int) -> None:
    table = np.arange(20.0).reshape(10, 2)
    out = np.zeros((3, 2))
    lists: list[Any] = [[0, 1, row]]
    if abs(row) <= 2**31:
        lists.append(np.array([0, 1, row], np.int32))
    for rows in lists:
        with pytest.raises(ValueError, match=f"rows must be 0 to 10 - 1.*row 2 is {row}$"):
            cache.gather(table, rows, out)
    assert not out.any()


@pytest.mark.parametrize("numbers", [np.int32, np.int64])
@pytest.mark.parametrize("row_bytes", [64, 100, 2048])
def test_results_beyond_the_cache_are_the_same(tier: str, row_bytes: int, numbers: type) -> None:
    random = np.random.default_rng(row_bytes)
    table = random.integers(0, 256, (1000, row_bytes), np.uint8)
    count = (cache.nontemporal_bytes_min() or MIB) // 4 // row_bytes + 1
    rows = random.integers(0, len(table), count).astype(numbers)
    # NumPy's memory begins at no line.
    area = np.full(count * row_bytes + 64, 0xEE, np.uint8)
    out = area[5 : 5 + count * row_bytes].reshape(count, row_bytes)
    assert cache.gather(table, rows, out) is out
    assert np.array_equal(out, table[rows])
    assert (area[:5] == 0xEE).all()
    assert (area[5 + count * row_bytes :] == 0xEE).all()
    cache.fill(bytearray(64), 0, True)  # so that a kernel runs in any case


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


@given(
    st.sampled_from(["u1", "<f4", ">i8", "c16", "S7", "M8[s]"]),
    st.lists(st.integers(1, 4), min_size=0, max_size=2),
    st.integers(0, 40),
    st.integers(-9, 9).filter(bool),
    st.integers(0, 39),
)
def test_strided_pieces_are_what_numpy_copies(
    kind: str, inner: list[int], count: int, step: int, start: int
) -> None:
    size = count * int(np.prod(inner, dtype=int)) * np.dtype(kind).itemsize
    table = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    table = table.view(kind).reshape(count, *inner)
    view = table[start::step]
    assert cache.gather_strided(view).tobytes() == view.tobytes()
    out = np.empty(view.shape, view.dtype)
    assert cache.gather_strided(view, out) is out
    assert out.tobytes() == view.tobytes()


def test_columns_fields_and_repeated_rows_are_gathered() -> None:
    random = np.random.default_rng(2)
    table = random.random((100_000, 16))
    assert np.array_equal(cache.gather_strided(table[:, 3]), table[:, 3])
    assert np.array_equal(cache.gather_strided(table[::-7, 2:5]), table[::-7, 2:5])
    records = np.zeros(1000, [("name", "S5"), ("price", "f8"), ("place", "i4", (2, 2))])
    records["price"] = random.random(1000)
    records["place"] = random.integers(0, 9, (1000, 2, 2))
    for field in ("name", "price", "place"):
        assert np.array_equal(cache.gather_strided(records[field]), records[field])
    same = np.broadcast_to(np.arange(5), (4, 5))
    assert np.array_equal(cache.gather_strided(same), same)
    assert cache.gather_strided(table[:0, 3]).shape == (0,)
    assert cache.gather_strided(np.empty((3, 0))).shape == (3, 0)


def test_strided_pieces_that_do_not_fit_are_refused() -> None:
    table = np.arange(40.0).reshape(10, 4)
    with pytest.raises(BufferError, match="all axes but the first"):
        cache.gather_strided(table[:, ::2])
    with pytest.raises(BufferError, match="all axes but the first"):
        cache.gather_strided(np.zeros((3, 4, 5)).transpose(0, 2, 1))
    with pytest.raises(TypeError, match="without objects"):
        cache.gather_strided(np.array([None]))
    with pytest.raises(TypeError, match="one dimension or more"):
        cache.gather_strided(np.array(1.0))
    with pytest.raises(ValueError, match="out must have shape"):
        cache.gather_strided(table[::2], np.empty((4, 4)))
    with pytest.raises(ValueError, match="overlap"):
        cache.gather_strided(table[::2], table[1:6])
    with pytest.raises(BufferError, match="out must be C-contiguous"):
        cache.gather_strided(table[::2], np.empty((5, 8))[:, ::2])
    frozen = np.empty((5, 4))
    frozen.flags.writeable = False
    with pytest.raises(BufferError, match="out must be a writable"):
        cache.gather_strided(table[::2], frozen)


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
