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
