"""What a state consists of: one buffer, or named arrays side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dwcp.checksum import crc64nvme
from dwcp.errors import CorruptFrame
from dwcp.typing import BufferLike

__all__ = ["Field", "Schema"]

ALIGNMENT_BYTES = 64
# JSON grows some twenty times when it is parsed; this many bytes name tens of thousands of arrays.
SCHEMA_BYTES_MAX = 4 << 20

# What NumPy calls the array-interface notation. Nothing else of a peer's gets to its parser.
_DTYPE = re.compile(r"[<>|][?bBhHiIlLuUfcmMSV][0-9]{1,9}(\[([1-9][0-9]{0,8})?[A-Za-z]{1,2}\])?")


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
        ValueError
            There are too many arrays, or their names are too long.
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
            plain = _DTYPE.fullmatch(array.dtype.str) and array.dtype.fields is None
            if not plain or array.dtype.itemsize == 0:
                raise TypeError(f"array {name!r}: dtype {array.dtype} has no plain bytes")
            if not array.flags.c_contiguous:
                raise BufferError(f"array {name!r} must be C-contiguous")
            offset = -(-end // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
            fields.append(Field(name, array.dtype.str, array.shape, offset))
            # Types that the buffer protocol does not know, such as dates, are bytes to us.
            buffers.append(array.reshape(-1).view(np.uint8))
            end = offset + array.nbytes
        schema = Schema(tuple(fields))
        length = len(schema.dump())
        if length > SCHEMA_BYTES_MAX:
            raise ValueError(
                f"the names and shapes of {len(fields)} arrays take {length} bytes, "
                f"{SCHEMA_BYTES_MAX} are allowed: use fewer arrays or shorter names"
            )
        return schema, buffers

    def offsets(self) -> list[int] | None:
        """Where the fields stand, for the encoder."""
        return None if self.fields is None else [entry.offset for entry in self.fields]

    def dump(self) -> bytes:
        """As it travels: JSON, null for a plain buffer."""
        rows = None
        if self.fields is not None:
            rows = [[f.name, f.dtype, list(f.shape), f.offset] for f in self.fields]
        return json.dumps(rows, separators=(",", ":")).encode()

    @property
    def digest(self) -> int:
        """CRC-64/NVME of the schema: whether two states of the same bytes mean the same."""
        return crc64nvme(self.dump())

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
    if not _DTYPE.fullmatch(dtype):
        raise CorruptFrame(f"field {name!r} has a dtype without plain bytes")
    try:
        parsed = np.dtype(dtype)
    except (TypeError, ValueError):
        raise CorruptFrame(f"field {name!r} has an unknown dtype") from None
    if parsed.itemsize == 0:
        raise CorruptFrame(f"field {name!r} has a dtype without plain bytes")
    try:
        # NumPy's own bounds: an empty array may still have too many elements along an axis.
        np.broadcast_to(np.empty((), parsed), shape)
    except ValueError:
        raise CorruptFrame(f"field {name!r} has an impossible shape") from None
    return Field(name, dtype, tuple(shape), offset)


def _read_only(view: NDArray[Any]) -> NDArray[Any]:
    view = view.view()
    view.flags.writeable = False
    return view
