"""The two state machines of the replica protocol: messages in, decisions out, no sockets.

docs/protocol.md describes them. Each object belongs to one connection and one thread.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from dwcp.errors import CorruptFrame
from dwcp.replica.frames import (
    TOKEN_BYTES_MAX,
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
)
from dwcp.replica.schema import SCHEMA_BYTES_MAX

__all__ = ["CHUNK_BYTES", "Position", "PublisherProtocol", "ReplicaProtocol", "token_bytes"]

# State that one keyframe frame carries.
CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class Position:
    """A published state: which one, what it must hash to, and what its bytes mean."""

    epoch: int
    sequence: int
    digest: int
    state_length_bytes: int
    schema_digest: int


NOWHERE = Position(0, 0, 0, 0, 0)


def token_bytes(token: str | bytes | None) -> bytes | None:
    """Check a token that a user gave; None stands for none.

    Raises
    ------
    ValueError
        The token is empty, which would let everybody in, or too long for a hello.
    """
    if token is None:
        return None
    encoded = token.encode() if isinstance(token, str) else token
    if not 1 <= len(encoded) <= TOKEN_BYTES_MAX:
        raise ValueError(
            f"token must have 1 to {TOKEN_BYTES_MAX} bytes, not {len(encoded)}; None is no token"
        )
    return encoded


class PublisherProtocol:
    """The publisher's side of one connection.

    Parameters
    ----------
    token
        What a replica must present; None lets everybody in.
    """

    def __init__(self, token: bytes | None) -> None:
        self._token = token
        self.reader = FrameReader(Limits.before_hello())
        self.is_denied = False
        # What the replica said it has, then what it acknowledged; None before its hello.
        self.peer: Position | None = None
        # The newest state that was sent to it.
        self.sent: Position | None = None
        self._in_flight: list[Position] = []

    @property
    def in_flight(self) -> int:
        """States sent and not acknowledged."""
        return len(self._in_flight)

    def receive(self, message: Message) -> Bye | Failure | None:
        """Take a message in; what ends the connection is given back.

        Raises
        ------
        CorruptFrame
            The message is not one that a replica may send now.
        """
        match message:
            case Hello() if self.peer is None and not self.is_denied:
                self._hello(message)
            case Ack() if self.peer is not None:
                self._ack(message)
            case Bye() | Failure():
                return message
            case _:
                raise CorruptFrame(f"a {type(message).__name__} is not expected here")
        return None

    def sending(self, position: Position) -> None:
        """Note that the state at `position` is being sent."""
        self.sent = position
        self._in_flight.append(position)

    def _hello(self, hello: Hello) -> None:
        if hello.role is not Role.REPLICA:
            raise CorruptFrame("two publishers talk to each other")
        # Constant time: how long a refusal takes says nothing about the token.
        if self._token is not None and not hmac.compare_digest(self._token, hello.token):
            self.is_denied = True
            return
        self.reader.limits = Limits.from_replica()
        self.peer = self.sent = Position(
            hello.epoch,
            hello.sequence,
            hello.digest,
            hello.state_length_bytes,
            hello.schema_digest,
        )

    def _ack(self, ack: Ack) -> None:
        for index, position in enumerate(self._in_flight):
            if (position.epoch, position.sequence) == (ack.epoch, ack.sequence):
                if position.digest != ack.digest:
                    raise CorruptFrame("the replica acknowledged another state than was sent")
                self.peer = position
                del self._in_flight[: index + 1]
                return
        raise CorruptFrame("the replica acknowledged a state that was not sent")


class ReplicaProtocol:
    """The replica's side of one connection.

    Parameters
    ----------
    position
        The state that the replica has; None for none.
    token
        What the publisher asks for.
    state_bytes_max
        Longest state that is taken.
    """

    def __init__(self, position: Position | None, token: bytes, state_bytes_max: int) -> None:
        self.position = position
        self._token = token
        self._state_bytes_max = state_bytes_max
        self._welcomed = False
        self._keyframe: Keyframe | None = None  # the last part of an unfinished one
        self.reader = FrameReader(Limits.before_hello())

    def hello(self) -> Hello:
        """The first message to send."""
        have = self.position or NOWHERE
        return Hello(
            Role.REPLICA,
            have.epoch,
            have.sequence,
            have.digest,
            have.state_length_bytes,
            have.schema_digest,
            self._token,
        )

    def receive(self, message: Message) -> Hello | Keyframe | Delta | Bye | Failure:
        """Take a message in and give it back once it is known to fit.

        Raises
        ------
        CorruptFrame
            The message is not one that a publisher may send now.
        """
        match message:
            case Bye() | Failure():
                return message
            case Hello() if not self._welcomed:
                if message.role is not Role.PUBLISHER:
                    raise CorruptFrame("two replicas talk to each other")
                self._welcomed = True
                self._limit()
                return message
            case Keyframe() if self._welcomed:
                self._check_keyframe(message)
                return message
            case Delta() if self._welcomed and self._keyframe is None:
                have = self.position
                base = (message.base_epoch, message.base_sequence)
                if have is None or base != (have.epoch, have.sequence):
                    raise CorruptFrame("a delta does not start from the state that the replica has")
                return message
            case _:
                raise CorruptFrame(f"a {type(message).__name__} is not expected here")

    def reached(self, position: Position) -> Ack:
        """Note that the replica now has this state; the acknowledgement to send."""
        self.position = position
        self._limit()
        return Ack(position.epoch, position.sequence, position.digest)

    def _limit(self) -> None:
        """Let in what fits the state that the replica has."""
        length = None if self.position is None else self.position.state_length_bytes
        self.reader.limits = Limits.from_publisher(length, SCHEMA_BYTES_MAX, CHUNK_BYTES)

    def _check_keyframe(self, part: Keyframe) -> None:
        if part.state_length_bytes > self._state_bytes_max:
            raise CorruptFrame(
                f"the state has {part.state_length_bytes} bytes, "
                f"{self._state_bytes_max} are allowed (state_bytes_max)"
            )
        before = self._keyframe
        expected = 0 if before is None else before.offset + before.chunk_length_bytes
        rest = part.state_length_bytes - expected
        if part.offset != expected or part.chunk_length_bytes > min(rest, CHUNK_BYTES):
            raise CorruptFrame("a part of a keyframe is out of order or ends beyond the state")
        if part.chunk_length_bytes == 0 and part.state_length_bytes > 0:
            raise CorruptFrame("a part of a keyframe is empty")
        if before is not None and (
            (before.epoch, before.sequence, before.digest, before.state_length_bytes)
            != (part.epoch, part.sequence, part.digest, part.state_length_bytes)
            or part.schema
        ):
            raise CorruptFrame("a part of a keyframe belongs to another state")
        self._keyframe = None if part.is_last else part
