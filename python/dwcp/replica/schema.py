"""What a state consists of: one buffer, or named arrays side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dwcp.errors import CorruptFrame
from dwcp.typing import BufferLike

__all__ = ["Field", "Schema"]

ALIGNMENT_BYTES = 64
SCHEMA_BYTES_MAX = 16 << 20


@dataclass(frozen=True)
class Field:
    """One named array of a state."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def length_bytes(self) -> int:
        """Bytes of the array."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Schema:
    """Layout of a state; no fields stand for a plain buffer."""

    fields: tuple[Field, ...] | None = None

    @staticmethod
    def of(source: BufferLike | Mapping[str, BufferLike]) -> tuple[Schema, list[BufferLike]]:
        """Layout of a source and its buffers, one for each field.

        Raises
        ------
        TypeError
            An array holds Python objects, or a name is not a string.
        BufferError
            A value is not C-contiguous.
        """
        if not isinstance(source, Mapping):
            return Schema(), [source]
        fields: list[Field] = []
        buffers: list[BufferLike] = []
        end = 0
        for name, value in source.items():
            if not isinstance(name, str):
                raise TypeError(f"names of arrays must be strings, not {name!r}")
            array = (
                value
                if isinstance(value, np.ndarray)
                else np.frombuffer(memoryview(value), np.uint8)
            )
            if array.dtype.hasobject or array.dtype.fields is not None:
                raise TypeError(f"array {name!r}: dtype {array.dtype} has no plain bytes")
            if not array.flags.c_contiguous:
                raise BufferError(f"array {name!r} must be C-contiguous")
            offset = -(-end // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
            fields.append(Field(name, array.dtype.str, array.shape, offset))
            # Types that the buffer protocol does not know, such as dates, are bytes to us.
            buffers.append(array.reshape(-1).view(np.uint8))
            end = offset + array.nbytes
        return Schema(tuple(fields)), buffers

    def offsets(self) -> list[int] | None:
        """Where the fields stand, for the encoder."""
        return None if self.fields is None else [entry.offset for entry in self.fields]

    def dump(self) -> bytes:
        """As it travels: JSON, null for a plain buffer."""
        rows = None
        if self.fields is not None:
            rows = [[f.name, f.dtype, list(f.shape), f.offset] for f in self.fields]
        return json.dumps(rows, separators=(",", ":")).encode()

    @staticmethod
    def load(data: bytes, state_length_bytes: int) -> Schema:
        """Read a peer's schema and check it against the length of its state.

        Raises
        ------
        CorruptFrame
            It is not a schema, or fields overlap or end beyond the state.
        """
        try:
            rows = json.loads(data)
        except (ValueError, RecursionError):
            raise CorruptFrame("a schema is not JSON") from None
        if rows is None:
            return Schema()
        if not isinstance(rows, list):
            raise CorruptFrame("a schema is neither null nor a list")
        fields = [_field(row) for row in rows]
        end = 0
        for entry in fields:
            if entry.offset < end or entry.offset % ALIGNMENT_BYTES:
                raise CorruptFrame(f"field {entry.name!r} overlaps the one before it")
            end = entry.offset + entry.length_bytes
            if end > state_length_bytes:
                raise CorruptFrame(f"field {entry.name!r} ends beyond the state")
        if len({entry.name for entry in fields}) != len(fields):
            raise CorruptFrame("two fields of a schema have the same name")
        return Schema(tuple(fields))

    def views(self, state: NDArray[np.uint8]) -> dict[str, NDArray[Any]] | NDArray[np.uint8]:
        """The state as the publisher gave it: read-only views by name, or one of bytes."""
        if self.fields is None:
            return _read_only(state)
        return {
            entry.name: _read_only(
                state[entry.offset : entry.offset + entry.length_bytes]
                .view(entry.dtype)
                .reshape(entry.shape)
            )
            for entry in self.fields
        }


def _field(row: Any) -> Field:
    match row:
        case [str(name), str(dtype), list(shape), int(offset)]:
            pass
        case _:
            raise CorruptFrame("a field of a schema is malformed")
    if offset < 0 or len(shape) > 64:
        raise CorruptFrame(f"field {name!r} is malformed")
    if not all(type(extent) is int and 0 <= extent < 1 << 62 for extent in shape):
        raise CorruptFrame(f"field {name!r} has an impossible shape")
    try:
        parsed = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        raise CorruptFrame(f"field {name!r} has an unknown dtype") from None
    if parsed.hasobject or parsed.fields is not None or parsed.subdtype or parsed.itemsize == 0:
        raise CorruptFrame(f"field {name!r} has a dtype without plain bytes")
    return Field(name, dtype, tuple(shape), offset)


def _read_only(view: NDArray[Any]) -> NDArray[Any]:
    view = view.view()
    view.flags.writeable = False
    return view
