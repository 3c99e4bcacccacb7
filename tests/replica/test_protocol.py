import pytest

from dwcp import CorruptFrame
from dwcp.replica.frames import Ack, Bye, Delta, Failure, Hello, Keyframe, Message, Role
from dwcp.replica.protocol import CHUNK_BYTES, Position, PublisherProtocol, ReplicaProtocol

FIRST = Position(5, 1, 111, 100)
SECOND = Position(5, 2, 222, 100)


def welcomed(position: Position | None = None, state_bytes_max: int = 1 << 30) -> ReplicaProtocol:
    protocol = ReplicaProtocol(position, b"", state_bytes_max)
    protocol.receive(Hello(Role.PUBLISHER, 5))
    return protocol


def joined(token: bytes | None = None) -> PublisherProtocol:
    protocol = PublisherProtocol(token)
    protocol.receive(Hello(Role.REPLICA, token=token or b""))
    return protocol


def test_hello_names_the_state_that_the_replica_has() -> None:
    assert ReplicaProtocol(FIRST, b"t", 10).hello() == Hello(Role.REPLICA, 5, 1, 111, 100, b"t")
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
