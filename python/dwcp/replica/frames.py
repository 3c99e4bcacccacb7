"""Frames of the replica protocol: messages to bytes and back. docs/protocol.md describes them."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from dwcp.checksum import crc32c
from dwcp.errors import CorruptFrame, Unsupported
from dwcp.memory import BufferPool

__all__ = [
    "Ack",
    "Bye",
    "Delta",
    "ErrorCode",
    "Failure",
    "FrameReader",
    "Hello",
    "Keyframe",
    "Limits",
    "Message",
    "Role",
    "payload_pool",
    "to_buffers",
]

Bytes = bytes | bytearray | memoryview

VERSION = 1
MAGIC = b"DWCF"
HEADER_BYTES = 24
TOKEN_BYTES_MAX = 1024
MESSAGE_BYTES_MAX = 4096

_HEADER = struct.Struct("<4sBBHQI")
_CRC = struct.Struct("<I")
_HELLO = struct.Struct("<BBBBQQQQQ")
_KEYFRAME = struct.Struct("<QQQQQQI")
_DELTA = struct.Struct("<QQQQ")
_ACK = struct.Struct("<QQQ")
_FAILURE = struct.Struct("<H")
_BYE = struct.Struct("<H")


class Type(IntEnum):
    """Kinds of frames."""

    HELLO = 1
    KEYFRAME = 2
    DELTA = 3
    ACK = 4
    ERROR = 5
    BYE = 6


class Role(IntEnum):
    """Who says hello."""

    PUBLISHER = 1
    REPLICA = 2


class ErrorCode(IntEnum):
    """Why a side gives up."""

    PROTOCOL = 1
    VERSION = 2
    DENIED = 3
    CORRUPT_STATE = 4
    STORAGE = 5


@dataclass(frozen=True)
class Hello:
    """First frame of each side; a replica names the state that it has (epoch 0: none)."""

    role: Role
    epoch: int = 0
    sequence: int = 0
    digest: int = 0
    state_length_bytes: int = 0
    schema_digest: int = 0
    token: bytes = b""


@dataclass(frozen=True)
class Keyframe:
    """A part of a whole state; the first part carries the schema."""

    epoch: int
    sequence: int
    state_length_bytes: int
    digest: int
    offset: int
    chunk_length_bytes: int
    schema: bytes
    delta: Bytes = field(repr=False)

    @property
    def is_last(self) -> bool:
        """Whether the state is complete with this part."""
        return self.offset + self.chunk_length_bytes == self.state_length_bytes


@dataclass(frozen=True)
class Delta:
    """What leads from one published state to a later one."""

    base_epoch: int
    base_sequence: int
    epoch: int
    sequence: int
    delta: Bytes = field(repr=False)


@dataclass(frozen=True)
class Ack:
    """The replica has verified and stored this state."""

    epoch: int
    sequence: int
    digest: int


@dataclass(frozen=True)
class Failure:
    """Why the sender closes the connection."""

    code: int
    message: str


@dataclass(frozen=True)
class Bye:
    """The sender closes the connection as planned."""

    reason: int = 0


Message = Hello | Keyframe | Delta | Ack | Failure | Bye


def _payload(message: Message) -> tuple[Type, list[Bytes]]:
    match message:
        case Hello():
            fields = _HELLO.pack(
                message.role, VERSION, VERSION, 0, message.epoch, message.sequence,
                message.digest, message.state_length_bytes, message.schema_digest,
            )  # fmt: skip
            return Type.HELLO, [fields + message.token]
        case Keyframe():
            fields = _KEYFRAME.pack(
                message.epoch, message.sequence, message.state_length_bytes, message.digest,
                message.offset, message.chunk_length_bytes, len(message.schema),
            )  # fmt: skip
            return Type.KEYFRAME, [fields + message.schema, message.delta]
        case Delta():
            fields = _DELTA.pack(
                message.base_epoch, message.base_sequence, message.epoch, message.sequence
            )
            return Type.DELTA, [fields, message.delta]
        case Ack():
            return Type.ACK, [_ACK.pack(message.epoch, message.sequence, message.digest)]
        case Failure():
            text = message.message.encode()[:MESSAGE_BYTES_MAX]
            return Type.ERROR, [_FAILURE.pack(message.code) + text]
        case Bye():
            return Type.BYE, [_BYE.pack(message.reason)]


def to_buffers(message: Message) -> list[Bytes]:
    """The bytes of a message as buffers to be sent one after the other, without joining them."""
    kind, payload = _payload(message)
    length, crc = 0, 0
    for part in payload:
        length += memoryview(part).nbytes
        crc = crc32c(part, crc)
    header = _HEADER.pack(MAGIC, VERSION, kind, 0, length, crc)
    return [header + _CRC.pack(crc32c(header)), *payload]


@dataclass(frozen=True)
class Limits:
    """Most bytes that the payload of each kind of frame may have; absent kinds are refused."""

    bytes_max: dict[Type, int]

    @staticmethod
    def before_hello() -> Limits:
        """What anybody may send before it is known who that is."""
        return Limits(
            {
                Type.HELLO: _HELLO.size + TOKEN_BYTES_MAX,
                Type.ERROR: _FAILURE.size + MESSAGE_BYTES_MAX,
                Type.BYE: _BYE.size,
            }
        )

    @staticmethod
    def from_replica() -> Limits:
        """What a replica may send after its hello."""
        limits = dict(Limits.before_hello().bytes_max)
        del limits[Type.HELLO]
        return Limits({**limits, Type.ACK: _ACK.size})

    @staticmethod
    def from_publisher(
        state_length_bytes: int | None, schema_bytes_max: int, chunk_bytes_max: int
    ) -> Limits:
        """What a publisher may send after its hello to a replica with a state of that length.

        Without a state (None) there is nothing that a delta could start from.
        """
        limits = dict(Limits.before_hello().bytes_max)
        del limits[Type.HELLO]
        limits[Type.KEYFRAME] = _KEYFRAME.size + schema_bytes_max + 2 * chunk_bytes_max
        if state_length_bytes is not None:
            # A delta is never longer than its blocks and, for each, the fields of its record.
            limits[Type.DELTA] = _DELTA.size + 2 * state_length_bytes + 4096
        return Limits(limits)


def _unpack(layout: struct.Struct, payload: memoryview) -> tuple[Any, ...]:
    if len(payload) < layout.size:
        raise CorruptFrame(f"a frame's payload has {len(payload)} bytes, too few for its kind")
    return layout.unpack_from(payload)


def _message(kind: Type, payload: memoryview) -> Message:
    match kind:
        case Type.HELLO:
            role, lowest, highest, zero, epoch, sequence, digest, length, schema_digest = _unpack(
                _HELLO, payload
            )
            if not lowest <= VERSION <= highest:
                raise Unsupported(
                    f"the peer speaks protocol versions {lowest} to {highest}, this dwcp {VERSION}"
                )
            if role not in tuple(Role) or zero:
                raise CorruptFrame("a hello names an unknown role")
            token = bytes(payload[_HELLO.size :])
            return Hello(Role(role), epoch, sequence, digest, length, schema_digest, token)
        case Type.KEYFRAME:
            epoch, sequence, length, digest, offset, chunk, schema_length = _unpack(
                _KEYFRAME, payload
            )
            rest = payload[_KEYFRAME.size :]
            if schema_length > len(rest):
                raise CorruptFrame("a keyframe's schema is longer than the frame")
            schema, encoded = bytes(rest[:schema_length]), rest[schema_length:]
            return Keyframe(epoch, sequence, length, digest, offset, chunk, schema, encoded)
        case Type.DELTA:
            base_epoch, base_sequence, epoch, sequence = _unpack(_DELTA, payload)
            encoded = payload[_DELTA.size :]
            return Delta(base_epoch, base_sequence, epoch, sequence, encoded)
        case Type.ACK:
            if len(payload) != _ACK.size:
                raise CorruptFrame("an ack has the wrong length")
            return Ack(*_unpack(_ACK, payload))
        case Type.ERROR:
            (code,) = _unpack(_FAILURE, payload)
            return Failure(code, bytes(payload[_FAILURE.size :]).decode(errors="replace"))
        case Type.BYE:
            if len(payload) != _BYE.size:
                raise CorruptFrame("a bye has the wrong length")
            return Bye(*_unpack(_BYE, payload))


# Longer payloads are rare (a delta of much of a state), and not worth being kept.
_POOLED_BYTES_MAX = 8 << 20


@functools.cache
def payload_pool() -> BufferPool:
    """Where the payloads that this process receives are kept, each until nobody refers to it."""
    return BufferPool()


def _payload_buffer(length: int) -> memoryview:
    if length <= _POOLED_BYTES_MAX:
        return memoryview(payload_pool().get(length))
    # Untouched pages of a large buffer take no memory, whatever length a peer claims.
    return np.empty(length, dtype=np.uint8).data


class FrameReader:
    """Bytes in, messages out. One thread at a time.

    Either give bytes to `feed`, or have them written to `get_buffer` and call `buffer_updated`,
    which saves a copy. Nothing is believed of a frame before its checksum is verified but its
    length, and that is bounded by `limits`; of more than 8 MiB, memory is only touched as bytes
    arrive.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._header = bytearray(HEADER_BYTES)
        self._payload: memoryview | None = None
        self._kind = Type.HELLO
        self._crc = 0
        self._filled = 0

    def get_buffer(self) -> memoryview:
        """Where the next bytes go; never empty."""
        target = memoryview(self._header) if self._payload is None else self._payload
        return target[self._filled :]

    def buffer_updated(self, count: int) -> Message | None:
        """Take note of `count` bytes written to get_buffer(); the message that they complete.

        Raises
        ------
        CorruptFrame
            The bytes are no frame, or one that is not allowed here.
        Unsupported
            The frame needs a newer version.
        """
        self._filled += count
        if self._payload is None:
            if self._filled < HEADER_BYTES:
                return None
            length = self._parse_header()
            try:
                self._payload = _payload_buffer(length)
            except MemoryError:
                raise CorruptFrame(
                    f"a frame of type {self._kind.name} claims {length} bytes, "
                    "more than there is memory for"
                ) from None
            self._filled = 0
        if self._filled < len(self._payload):
            return None
        payload = self._payload
        self._payload, self._filled = None, 0
        if crc32c(payload) != self._crc:
            raise CorruptFrame(f"the checksum of a frame of type {self._kind.name} does not match")
        return _message(self._kind, payload)

    def feed(self, data: Bytes) -> Iterator[Message]:
        """Messages completed by `data`, which may hold any number of frames and parts of them."""
        rest = memoryview(data).cast("B")
        while len(rest) > 0:
            target = self.get_buffer()
            count = min(len(target), len(rest))
            target[:count] = rest[:count]
            rest = rest[count:]
            message = self.buffer_updated(count)
            if message is not None:
                yield message

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream may end here."""
        return self._payload is None and self._filled == 0

    def _parse_header(self) -> int:
        magic, version, kind, flags, length, self._crc = _HEADER.unpack_from(self._header)
        if magic != MAGIC:
            raise CorruptFrame("the bytes are not a dwcp frame")
        if _CRC.unpack_from(self._header, _HEADER.size)[0] != crc32c(self._header[: _HEADER.size]):
            raise CorruptFrame("the checksum of a frame's header does not match")
        if version != VERSION or flags:
            raise Unsupported(
                f"the peer's frames have version {version}, this dwcp reads {VERSION}"
            )
        try:
            self._kind = Type(kind)
        except ValueError:
            raise CorruptFrame(f"a frame has the unknown type {kind}") from None
        limit = self.limits.bytes_max.get(self._kind)
        if limit is None:
            raise CorruptFrame(f"a frame of type {self._kind.name} is not allowed here")
        if length > limit:
            raise CorruptFrame(
                f"a frame of type {self._kind.name} claims {length} bytes, {limit} are allowed"
            )
        return int(length)
