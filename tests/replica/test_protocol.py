import itertools
import resource
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwcp import CorruptFrame, checksum
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
from dwcp.replica.protocol import CHUNK_BYTES, Position, PublisherProtocol, ReplicaProtocol

FIRST = Position(5, 1, 111, 100, 77)
SECOND = Position(5, 2, 222, 100, 77)


def welcomed(position: Position | None = None, state_bytes_max: int = 1 << 30) -> ReplicaProtocol:
    protocol = ReplicaProtocol(position, b"", state_bytes_max)
    protocol.receive(Hello(Role.PUBLISHER, 5))
    return protocol


def joined(token: bytes | None = None) -> PublisherProtocol:
    protocol = PublisherProtocol(token)
    protocol.receive(Hello(Role.REPLICA, token=token or b""))
    return protocol


def test_hello_names_the_state_that_the_replica_has() -> None:
    assert ReplicaProtocol(FIRST, b"t", 10).hello() == Hello(Role.REPLICA, 5, 1, 111, 100, 77, b"t")
    assert ReplicaProtocol(None, b"", 10).hello() == Hello(Role.REPLICA)


def test_wrong_token_is_denied_and_nothing_is_learned() -> None:
    for token in (b"", b"wrong", b"secret!"):
        protocol = PublisherProtocol(b"secret")
        protocol.receive(Hello(Role.REPLICA, token=token))
        assert protocol.is_denied
        assert protocol.peer is None
        with pytest.raises(CorruptFrame):
            protocol.receive(Hello(Role.REPLICA, token=b"secret"))
    assert not joined(b"secret").is_denied


def test_acknowledged_states_leave_the_window() -> None:
    protocol = joined()
    protocol.sending(FIRST)
    protocol.sending(SECOND)
    assert protocol.in_flight == 2
    protocol.receive(Ack(5, 2, 222))
    assert protocol.in_flight == 0
    assert protocol.peer == SECOND


@pytest.mark.parametrize("ack", [Ack(5, 3, 333), Ack(6, 1, 111), Ack(5, 1, 999)])
def test_acknowledging_what_was_not_sent_is_refused(ack: Ack) -> None:
    protocol = joined()
    protocol.sending(FIRST)
    with pytest.raises(CorruptFrame, match="acknowledged"):
        protocol.receive(ack)


@pytest.mark.parametrize(
    "message",
    [
        Ack(5, 1, 1),
        Keyframe(5, 1, 1, 1, 0, 1, b"", b""),
        Delta(5, 1, 5, 2, b""),
        Hello(Role.PUBLISHER),
    ],
    ids=lambda m: type(m).__name__,
)
def test_publisher_refuses_everything_but_a_replicas_hello_first(message: Message) -> None:
    with pytest.raises(CorruptFrame):
        PublisherProtocol(None).receive(message)


@pytest.mark.parametrize(
    "message",
    [
        Keyframe(5, 1, 1, 1, 0, 1, b"", b""),
        Delta(5, 1, 5, 2, b""),
        Ack(1, 1, 1),
        Hello(Role.REPLICA),
    ],
    ids=lambda m: type(m).__name__,
)
def test_replica_refuses_everything_but_a_publishers_hello_first(message: Message) -> None:
    with pytest.raises(CorruptFrame):
        ReplicaProtocol(FIRST, b"", 1 << 30).receive(message)


def test_second_hello_is_refused() -> None:
    with pytest.raises(CorruptFrame, match="Hello is not expected"):
        welcomed().receive(Hello(Role.PUBLISHER, 5))
    with pytest.raises(CorruptFrame, match="Hello is not expected"):
        joined().receive(Hello(Role.REPLICA))


def test_either_side_may_leave_at_any_time() -> None:
    for message in (Bye(), Failure(1, "x")):
        assert ReplicaProtocol(None, b"", 1).receive(message) == message
        assert welcomed().receive(message) == message
        assert PublisherProtocol(None).receive(message) == message


def test_delta_must_start_from_the_replicas_state() -> None:
    welcomed(FIRST).receive(Delta(5, 1, 5, 2, b""))
    for base in ((5, 2), (6, 1), (5, 0)):
        with pytest.raises(CorruptFrame, match="does not start from the state"):
            welcomed(FIRST).receive(Delta(*base, 5, 3, b""))
    with pytest.raises(CorruptFrame, match="does not start from the state"):
        welcomed(None).receive(Delta(0, 0, 5, 3, b""))


def part(offset: int, length: int, total: int = 2 * CHUNK_BYTES, **fields: int) -> Keyframe:
    values = {"epoch": 5, "sequence": 1, "digest": 9, **fields}
    return Keyframe(
        values["epoch"], values["sequence"], total, values["digest"], offset, length, b"", b""
    )


def test_keyframe_parts_come_in_order_and_cover_the_state() -> None:
    protocol = welcomed()
    protocol.receive(part(0, CHUNK_BYTES))
    last = protocol.receive(part(CHUNK_BYTES, CHUNK_BYTES))
    assert isinstance(last, Keyframe)
    assert last.is_last
    protocol.receive(part(0, 0, total=0))


@pytest.mark.parametrize(
    "second",
    [
        part(0, CHUNK_BYTES),
        part(CHUNK_BYTES + 1, 10),
        part(CHUNK_BYTES, CHUNK_BYTES + 1),
        part(CHUNK_BYTES, 0),
        part(CHUNK_BYTES, 10, sequence=2),
        part(CHUNK_BYTES, 10, epoch=6),
        part(CHUNK_BYTES, 10, digest=8),
        part(CHUNK_BYTES, 10, total=3 * CHUNK_BYTES),
        Delta(5, 1, 5, 2, b""),
    ],
)
def test_keyframe_parts_that_do_not_fit_are_refused(second: Message) -> None:
    protocol = welcomed()
    protocol.receive(part(0, CHUNK_BYTES))
    with pytest.raises(CorruptFrame):
        protocol.receive(second)


def test_states_beyond_the_limit_are_refused() -> None:
    with pytest.raises(CorruptFrame, match="1000 are allowed"):
        welcomed(state_bytes_max=1000).receive(part(0, 1001, total=1001))


def stream(*messages: Message) -> bytes:
    return b"".join(bytes(buffer) for message in messages for buffer in to_buffers(message))


# A keyframe in two parts, then two deltas: what a publisher says to a fresh replica.
TOTAL = CHUNK_BYTES + 10
STATES = [Position(5, number, 100 + number, TOTAL, 7) for number in (1, 2, 3)]
PUBLISHER_SAYS = stream(
    Hello(Role.PUBLISHER, 5, 1, 101, TOTAL, 7),
    Keyframe(5, 1, TOTAL, 101, 0, CHUNK_BYTES, b"null", b"first"),
    Keyframe(5, 1, TOTAL, 101, CHUNK_BYTES, 10, b"", b"last"),
    Delta(5, 1, 5, 2, b"delta"),
    Delta(5, 2, 5, 3, b""),
    Bye(),
)


def follow(pieces: list[bytes]) -> tuple[list[str], list[Ack]]:
    """Run the replica's machine over a stream in pieces: what it lets through, and its acks."""
    protocol = ReplicaProtocol(None, b"", 1 << 30)
    seen: list[str] = []
    acks: list[Ack] = []
    for piece in pieces:
        for raw in protocol.reader.feed(piece):
            message = protocol.receive(raw)
            seen.append(type(message).__name__)
            if isinstance(message, Delta) or (isinstance(message, Keyframe) and message.is_last):
                acks.append(protocol.reached(STATES[len(acks)]))
    return seen, acks


WHOLE = (
    ["Hello", "Keyframe", "Keyframe", "Delta", "Delta", "Bye"],
    [Ack(5, 1, 101), Ack(5, 2, 102), Ack(5, 3, 103)],
)


def test_replica_follows_a_stream_cut_at_every_byte_boundary() -> None:
    for cut in range(len(PUBLISHER_SAYS) + 1):
        assert follow([PUBLISHER_SAYS[:cut], PUBLISHER_SAYS[cut:]]) == WHOLE
    assert follow([bytes([byte]) for byte in PUBLISHER_SAYS]) == WHOLE


@given(cuts=st.lists(st.integers(0, len(PUBLISHER_SAYS)), max_size=30))
def test_replica_follows_a_stream_cut_anywhere(cuts: list[int]) -> None:
    edges = sorted({0, len(PUBLISHER_SAYS), *cuts})
    assert follow([PUBLISHER_SAYS[a:b] for a, b in itertools.pairwise(edges)]) == WHOLE


def test_publisher_follows_a_stream_cut_at_every_byte_boundary() -> None:
    says = stream(Hello(Role.REPLICA, token=b"t"), Ack(5, 1, 101), Ack(5, 3, 103), Bye())
    for cut in range(len(says) + 1):
        protocol = PublisherProtocol(b"t")
        for piece in (says[:cut], says[cut:]):
            for message in protocol.reader.feed(piece):
                left = protocol.receive(message)
                if isinstance(message, Hello):
                    for position in STATES:
                        protocol.sending(position)
        assert isinstance(left, Bye)
        assert protocol.peer == STATES[2]
        assert protocol.in_flight == 0


def claim(kind: Type, length: int) -> bytes:
    """The header of a frame that says it is so long."""
    fields = struct.pack("<4sBBHQI", b"DWCF", 1, kind, 0, length, 0)
    return fields + struct.pack("<I", checksum.crc32c(fields))


def test_delta_is_bounded_by_the_state_that_it_changes() -> None:
    with pytest.raises(CorruptFrame, match="DELTA is not allowed here"):
        list(welcomed(None).reader.feed(claim(Type.DELTA, 32)))
    list(welcomed(FIRST).reader.feed(claim(Type.DELTA, 1000)))
    with pytest.raises(CorruptFrame, match="claims 5000 bytes"):
        list(welcomed(FIRST).reader.feed(claim(Type.DELTA, 5000)))
    protocol = welcomed(FIRST)
    protocol.reached(Position(5, 2, 0, 1000, 77))
    list(protocol.reader.feed(claim(Type.DELTA, 5000)))


def test_claimed_lengths_take_no_memory() -> None:
    reader = FrameReader(Limits({Type.DELTA: 1 << 50}))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert list(reader.feed(claim(Type.DELTA, 8 << 30) + b"x" * 1000)) == []
    after_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # One huge page at most holds the bytes that came.
    assert after_kib - before_kib <= 4096
    with pytest.raises(CorruptFrame, match="more than there is memory for"):
        list(FrameReader(reader.limits).feed(claim(Type.DELTA, 1 << 49)))
