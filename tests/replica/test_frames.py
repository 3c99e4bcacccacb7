import contextlib
import itertools
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwcp import CorruptFrame, Unsupported, checksum
from dwcp.replica.frames import (
    Ack,
    Bye,
    Delta,
    Failure,
    FrameReader,
    Hello,
    Keyframe,
    Limits,
    Message,
    Role,
    Type,
    to_buffers,
)

EVERYTHING = Limits(dict.fromkeys(Type, 1 << 16))

MESSAGES: list[Message] = [
    Hello(Role.REPLICA, 1, 2, 3, 4, 5, b"secret"),
    Hello(Role.PUBLISHER, epoch=2**64 - 1),
    Keyframe(1, 2, 100, 4, 0, 60, b"null", b"x" * 70),
    Keyframe(1, 2, 100, 4, 60, 40, b"", b""),
    Delta(1, 2, 1, 3, b"delta" * 50),
    Ack(1, 2, 3),
    Failure(3, "no \N{SNOWMAN}"),
    Bye(7),
]


def wire(message: Message) -> bytes:
    return b"".join(bytes(buffer) for buffer in to_buffers(message))


def normal(message: Message) -> Message:
    """With bytes where the reader gives views of its buffer."""
    if isinstance(message, Keyframe | Delta):
        return type(message)(**{**vars(message), "delta": bytes(message.delta)})
    return message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_messages_survive_the_wire_at_every_byte_boundary(message: Message) -> None:
    data = wire(message)
    for cut in range(len(data) + 1):
        reader = FrameReader(EVERYTHING)
        received = [*reader.feed(data[:cut]), *reader.feed(data[cut:])]
        assert [normal(m) for m in received] == [message]
        assert reader.is_between_frames
    reader = FrameReader(EVERYTHING)
    received = [m for byte in data for m in reader.feed(bytes([byte]))]
    assert [normal(m) for m in received] == [message]


@settings(max_examples=50)
@given(cuts=st.lists(st.integers(0, 700), max_size=20))
def test_streams_may_be_split_anywhere(cuts: list[int]) -> None:
    data = b"".join(wire(message) for message in MESSAGES)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = FrameReader(EVERYTHING)
    received = []
    for start, end in itertools.pairwise(edges):
        received += [normal(m) for m in reader.feed(data[start:end])]
    assert received == MESSAGES


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_flipped_bit_is_noticed(message: Message) -> None:
    data = wire(message)
    for position in range(len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[position] ^= 1 << bit
            reader = FrameReader(EVERYTHING)
            try:
                received = list(reader.feed(bytes(bad)))
            except (CorruptFrame, Unsupported):
                continue
            # A longer length leaves the frame unfinished; nothing comes out.
            assert received == []
            assert not reader.is_between_frames


@settings(max_examples=300)
@given(noise=st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    reader = FrameReader(EVERYTHING)
    with contextlib.suppress(CorruptFrame, Unsupported):
        assert list(reader.feed(noise)) == []


@settings(max_examples=200)
@given(kind=st.sampled_from(Type), payload=st.binary(max_size=80))
def test_nonsense_behind_correct_checksums_is_refused(kind: Type, payload: bytes) -> None:
    header = struct.pack("<4sBBHQI", b"DWCF", 1, kind, 0, len(payload), checksum.crc32c(payload))
    reader = FrameReader(EVERYTHING)
    try:
        for message in reader.feed(header + struct.pack("<I", checksum.crc32c(header)) + payload):
            assert isinstance(message, Message)
    except (CorruptFrame, Unsupported):
        pass


def header(kind: int, length: int, version: int = 1) -> bytes:
    fields = struct.pack("<4sBBHQI", b"DWCF", version, kind, 0, length, 0)
    return fields + struct.pack("<I", checksum.crc32c(fields))


def test_claimed_lengths_are_bounded_before_memory_is_taken() -> None:
    reader = FrameReader(Limits.before_hello())
    with pytest.raises(CorruptFrame, match="claims 1099511627776 bytes"):
        list(reader.feed(header(Type.HELLO, 1 << 40)))


def test_frames_that_are_not_allowed_are_refused() -> None:
    reader = FrameReader(Limits.before_hello())
    with pytest.raises(CorruptFrame, match="DELTA is not allowed here"):
        list(reader.feed(header(Type.DELTA, 10)))
    with pytest.raises(CorruptFrame, match="unknown type 99"):
        list(FrameReader(EVERYTHING).feed(header(99, 10)))


def test_versions_from_the_future_are_named() -> None:
    with pytest.raises(Unsupported, match="version 2"):
        list(FrameReader(EVERYTHING).feed(header(Type.HELLO, 10, version=2)))
    hello = bytearray(wire(MESSAGES[0]))
    hello[24 + 1] = 9  # lowest protocol version that the peer speaks
    hello[24 + 2] = 12
    body = bytes(hello[24:])
    fields = struct.pack("<4sBBHQI", b"DWCF", 1, 1, 0, len(body), checksum.crc32c(body))
    with pytest.raises(Unsupported, match="versions 9 to 12"):
        list(
            FrameReader(EVERYTHING).feed(fields + struct.pack("<I", checksum.crc32c(fields)) + body)
        )


def test_spliced_frames_are_refused() -> None:
    choice = random.Random(1)
    for _ in range(300):
        first, second = wire(choice.choice(MESSAGES)), wire(choice.choice(MESSAGES))
        spliced = first[: choice.randrange(1, len(first))] + second
        reader = FrameReader(EVERYTHING)
        try:
            received = [normal(m) for m in reader.feed(spliced)]
        except (CorruptFrame, Unsupported):
            continue
        assert received == []
