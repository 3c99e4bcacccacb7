import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwcp import CorruptFrame
from dwcp.replica.schema import Schema


def test_arrays_come_back_with_their_types_and_shapes() -> None:
    arrays = {
        "weights": np.arange(12, dtype=np.float32).reshape(3, 4),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 5), dtype=np.int16),
        "scalar": np.array(7, dtype=np.uint64),
        "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    }
    schema, buffers = Schema.of(arrays)
    offsets = schema.offsets()
    assert offsets is not None
    end = offsets[-1] + arrays["dates"].nbytes
    state = np.zeros(end, dtype=np.uint8)
    for offset, buffer in zip(offsets, buffers, strict=True):
        content = np.frombuffer(buffer, dtype=np.uint8)
        state[offset : offset + len(content)] = content
    views = Schema.load(schema.dump(), end).views(state)
    assert isinstance(views, dict)
    for name, array in arrays.items():
        assert views[name].dtype == array.dtype
        assert views[name].shape == array.shape
        assert (views[name] == array).all()
        assert not views[name].flags.writeable


def test_buffers_have_no_schema() -> None:
    schema, buffers = Schema.of(b"abc")
    assert schema.dump() == b"null"
    assert buffers == [b"abc"]


def test_sources_without_plain_bytes_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="array 'x': dtype object"):
        Schema.of({"x": np.array([None])})
    with pytest.raises(BufferError, match="array 'x' must be C-contiguous"):
        Schema.of({"x": np.zeros((4, 4))[:, 1]})
    with pytest.raises(TypeError, match="names of arrays must be strings"):
        Schema.of({1: np.zeros(3)})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "rows",
    [
        {},
        7,
        [1],
        [["a", "<f4", [2]]],
        [["a", "<f4", [2], -64]],
        [["a", "<f4", [-1], 0]],
        [["a", "<f4", [1.5], 0]],
        [["a", "<f4", [True], 0]],
        [["a", "<f4", [26], 0]],
        [["a", "<f4", [1 << 61, 1 << 61], 0]],
        [["a", "<f4", [2], 1]],
        [["a", "|O", [2], 0]],
        [["a", "nonsense", [2], 0]],
        [["a", "f4,f4", [2], 0]],
        [["a", "<f4", [2], 0], ["b", "<f4", [2], 0]],
        [["a", "<f4", [2], 0], ["a", "<f4", [2], 64]],
        [["a", "<f4", [1] * 65, 0]],
    ],
)
def test_hostile_schemas_are_refused(rows: Any) -> None:
    with pytest.raises(CorruptFrame):
        Schema.load(json.dumps(rows).encode(), 100)


@given(data=st.binary(max_size=60))
def test_noise_is_refused(data: bytes) -> None:
    try:
        Schema.load(data, 100)
    except CorruptFrame:
        return
    assert json.loads(data) in (None, [])


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(CorruptFrame):
        Schema.load(b"[" * 100_000, 100)


@pytest.mark.parametrize(
    "dtype",
    ["float", "f4,f4", "(3,)f4", "a10", "O", "|O", "|T16", "", " <f4", "<f4 ", "<f3", "<U0", "|V0",
     "<U1000000000", "<M8[0s]", "<M8[nonsense]", "{'a': 1}", "datetime64", "<f4\0"],
)  # fmt: skip
def test_dtypes_in_other_words_are_refused(dtype: str) -> None:
    with pytest.raises(CorruptFrame, match="dtype"):
        Schema.load(json.dumps([["a", dtype, [1], 0]]).encode(), 1 << 40)


@pytest.mark.parametrize("shape", [[0, 1 << 61, 1 << 61], [0] * 65, [0, (1 << 62) - 1, 9]])
def test_empty_arrays_have_shapes_that_numpy_can_hold(shape: list[int]) -> None:
    with pytest.raises(CorruptFrame, match="field 'a'"):
        Schema.load(json.dumps([["a", "<f8", shape, 0]]).encode(), 64)


def test_every_plain_dtype_of_numpy_travels() -> None:
    for code in "?bBhHiIlLqQefdgFDG":
        array = np.ones(3, dtype=code)
        schema, _ = Schema.of({"x": array, "y": array.astype(array.dtype.newbyteorder())})
        assert Schema.load(schema.dump(), 256) == schema
    for dtype in ("S5", "U5", "V5", "M8[25s]", "m8[us]", "m8"):
        schema, _ = Schema.of({"x": np.zeros(3, dtype=dtype)})
        assert Schema.load(schema.dump(), 256) == schema


def test_schemas_that_no_replica_would_take_are_refused_at_the_source() -> None:
    with pytest.raises(ValueError, match="use fewer arrays or shorter names"):
        Schema.of({"x" * (4 << 20): b"1"})
    with pytest.raises(TypeError, match="no plain bytes"):
        Schema.of({"x": np.zeros(3, dtype="V0")})
