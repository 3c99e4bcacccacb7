"""One replica's connection, as the publisher sees it: a thread that keeps it up to date."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dwcp import delta
from dwcp.errors import CorruptFrame, PeerLost, Unsupported
from dwcp.replica.frames import Bye, ErrorCode, Failure, Hello, Keyframe, Role
from dwcp.replica.protocol import CHUNK_BYTES, Position, PublisherProtocol
from dwcp.replica.transport import Channel, Waker, start_tls

if TYPE_CHECKING:
    from dwcp.replica.publisher import Publisher, Snapshot

__all__ = ["Connection", "ConnectionInfo"]

# A peer that says nothing for so long after connecting is not a replica.
_HELLO_SECONDS_MAX = 10.0
# A replica that neither reads nor acknowledges for so long is gone.
_STALL_SECONDS_MAX = 60.0
_GOODBYE_SECONDS_MAX = 1.0
# States on the way to one replica; what happens beyond is composed into one delta.
_IN_FLIGHT_MAX = 2


@dataclass(frozen=True)
class ConnectionInfo:
    """A connected replica."""

    address: str
    epoch: int
    sequence: int
    sent_bytes: int
    keyframes: int
    deltas: int


class Connection:
    """Serves one replica, in a thread of its own."""

    def __init__(
        self,
        publisher: Publisher,
        accepted: socket.socket,
        ssl_context: ssl.SSLContext | None,
        token: bytes | None,
    ) -> None:
        self._publisher = publisher
        self._accepted = accepted
        self._ssl_context = ssl_context
        self._protocol = PublisherProtocol(token)
        self._waker = Waker()
        self._channel: Channel | None = None
        self._chunks: Iterator[Keyframe] = iter(())
        self._keyframes = 0
        self._deltas = 0
        self._peer_name = _name(accepted)

    def wake(self) -> None:
        """There is a new state, or the publisher was closed. Only while it is in its list."""
        self._waker.wake()

    @property
    def acknowledged(self) -> Position | None:
        """The state that the replica has; None before its hello."""
        return self._protocol.peer

    def info(self) -> ConnectionInfo:
        """How far the replica is."""
        have = self.acknowledged
        sent_bytes = 0 if self._channel is None else self._channel.sent_bytes
        return ConnectionInfo(
            self._peer_name,
            have.epoch if have else 0,
            have.sequence if have else 0,
            sent_bytes,
            self._keyframes,
            self._deltas,
        )

    def run(self) -> None:
        """Serve until one side leaves; the body of the connection's thread."""
        try:
            if self._ssl_context is not None:
                self._accepted = wrapped = self._ssl_context.wrap_socket(
                    self._accepted, server_side=True, do_handshake_on_connect=False
                )
                start_tls(
                    wrapped, self._waker, _HELLO_SECONDS_MAX, lambda: self._publisher.is_closed
                )
            self._channel = channel = Channel(self._accepted, self._protocol.reader, self._waker)
            try:
                last_words = self._serve(channel)
                if last_words is not None:
                    channel.queue(last_words)
                    channel.flush(_GOODBYE_SECONDS_MAX)
            finally:
                channel.close()
        except (PeerLost, OSError):
            self._accepted.close()
        finally:
            # Once it is off the publisher's list, nobody wakes it any more.
            self._publisher.left(self)
            self._waker.close()

    def _serve(self, channel: Channel) -> Bye | Failure | None:
        """Serve until one side gives up; what to say at the end."""
        start = progress = time.monotonic()
        moved = 0
        try:
            while not self._publisher.is_closed:
                for message in channel.pump(_HELLO_SECONDS_MAX):
                    joining = self._protocol.peer is None
                    if self._protocol.receive(message) is not None:
                        return None
                    if self._protocol.is_denied:
                        return Failure(ErrorCode.DENIED, "the token is not the right one")
                    if joining:
                        head = self._publisher.head
                        channel.queue(
                            Hello(
                                Role.PUBLISHER,
                                head.epoch,
                                head.sequence,
                                head.digest,
                                head.state_length_bytes,
                                head.schema_digest,
                            )
                        )
                    self._publisher.joined(self)
                now = time.monotonic()
                if moved != channel.sent_bytes + channel.received_bytes:
                    moved, progress = channel.sent_bytes + channel.received_bytes, now
                if self._protocol.peer is None:
                    # However busily it trickles.
                    if now - start > _HELLO_SECONDS_MAX:
                        return Failure(ErrorCode.PROTOCOL, "no hello in time")
                    continue
                owed = self._protocol.in_flight > 0 or not channel.is_idle
                if owed and now - progress > _STALL_SECONDS_MAX:
                    return Failure(ErrorCode.PROTOCOL, "nothing was read or acknowledged in time")
                if not owed:
                    progress = now
                self._fill(channel)
        except Unsupported as error:
            return Failure(ErrorCode.VERSION, str(error))
        except CorruptFrame as error:
            return Failure(ErrorCode.PROTOCOL, str(error))
        return Bye()

    def _fill(self, channel: Channel) -> None:
        """Queue what the replica needs next, one frame at a time."""
        while channel.is_idle:
            part = next(self._chunks, None)
            if part is not None:
                channel.queue(part)
            elif not self._next_state(channel):
                return
            # Hand it over at once; what does not fit waits for the socket.
            for message in channel.pump(0):
                if self._protocol.receive(message) is not None:
                    raise PeerLost("the replica left")
                self._publisher.joined(self)

    def _next_state(self, channel: Channel) -> bool:
        head, sent = self._publisher.head, self._protocol.sent
        assert sent is not None
        if sent == head:
            return False
        if self._protocol.in_flight >= _IN_FLIGHT_MAX:
            return False
        found = self._publisher.delta_from(sent)
        if found is not None:
            position, message = found
            self._deltas += 1
            channel.queue(message)
        else:
            snapshot = self._publisher.snapshot()
            position = snapshot.position
            self._keyframes += 1
            self._chunks = self._keyframe(snapshot)
        self._protocol.sending(position)
        return True

    def _keyframe(self, snapshot: Snapshot) -> Iterator[Keyframe]:
        where, state = snapshot.position, snapshot.state
        options = self._publisher.options
        for offset in range(0, max(len(state), 1), CHUNK_BYTES):
            chunk = state[offset : offset + CHUNK_BYTES]
            yield Keyframe(
                where.epoch,
                where.sequence,
                where.state_length_bytes,
                where.digest,
                offset,
                len(chunk),
                snapshot.schema if offset == 0 else b"",
                delta.encode(chunk, codec=options.codec, level=options.level),
            )
        self._publisher.release_snapshot(snapshot)


def _name(accepted: socket.socket) -> str:
    try:
        host, port, *_ = accepted.getpeername()
    except (OSError, ValueError):
        return "unknown"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
