"""The following side: a verified copy of what a publisher publishes."""

from __future__ import annotations

import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dwcp import delta
from dwcp.checksum import crc64nvme
from dwcp.errors import (
    Closed,
    CorruptDelta,
    CorruptFrame,
    Error,
    PeerLost,
    Unsupported,
    WrongBase,
)
from dwcp.replica.frames import Bye, Delta, ErrorCode, Failure, Hello, Keyframe
from dwcp.replica.lifetime import Closable
from dwcp.replica.protocol import Position, ReplicaProtocol, token_bytes
from dwcp.replica.rwlock import ReadWriteLock
from dwcp.replica.schema import Schema
from dwcp.replica.stats import Kind, ReplicaStats, Update
from dwcp.replica.store import FileStore, Identity
from dwcp.replica.transport import Channel, Waker, connect, parse_address

__all__ = ["Replica"]

State = NDArray[np.uint8]

STATE_BYTES_MAX = 64 << 30
_CONNECT_SECONDS_MAX = 10.0
_RECONNECT_SECONDS_MAX = 5.0
_RECONNECT_SECONDS_MIN = 0.02
_GOODBYE_SECONDS_MAX = 1.0
# Regions of a delta nearer than this are written to a file in one go.
_WRITE_GAP_BYTES = 4096

# Failures that trying again does not mend.
_FATAL_CODES = (ErrorCode.DENIED, ErrorCode.VERSION)


class Replica(Closable):
    """A copy of a published state, kept up to date by a thread of its own.

    All methods may be called from any thread. The connection is made again when it is lost, and
    the replica goes on where it was.

    Parameters
    ----------
    address
        "host:port" of the publisher.
    path
        Where the copy is kept on disk as well; it survives being killed at any point and is
        resumed from. None keeps it in memory only.
    token
        What the publisher asks for.
    ssl_context
        TLS context of the client side; None connects without TLS.
    state_bytes_max
        Longest state that is taken from a publisher.
    sync
        Whether each state on disk is forced there before it counts: survives a loss of power.
    reconnect
        Whether a lost connection is made again. If not, its loss ends the replica, and `wait`
        raises it.
    on_update
        Called in the replica's thread with each `Update`; it may call `close`. What it raises ends
        the replica.

    Raises
    ------
    ValueError
        The address or the token is malformed.
    Error
        Another replica uses `path`, or it is not a regular file.
    OSError
        `path` cannot be used.
    """

    def __init__(
        self,
        address: str,
        *,
        path: str | os.PathLike[str] | None = None,
        token: str | bytes | None = None,
        ssl_context: ssl.SSLContext | None = None,
        state_bytes_max: int = STATE_BYTES_MAX,
        sync: bool = False,
        reconnect: bool = True,
        on_update: Callable[[Update], None] | None = None,
    ) -> None:
        self._address = parse_address(address)
        self._token = token_bytes(token) or b""
        self._ssl_context = ssl_context
        self._state_bytes_max = state_bytes_max
        self._reconnect = reconnect
        self._on_update = on_update
        self._store = None if path is None else FileStore(path, sync=sync)
        self._lock = ReadWriteLock()
        # What readers see, changed under the write side of _lock only.
        self._state: State | None = None
        self._schema = Schema()
        self._position: Position | None = None
        self._needs_keyframe = False
        # Guards what waiters look at.
        self._changed = threading.Condition()
        self._seen = 0
        self._updates = 0
        self._error: BaseException | None = None
        self._last_failure: BaseException | None = None
        self._closing = False
        self._ended = False
        self._waker = Waker()
        self.stats = ReplicaStats()
        self._thread = threading.Thread(target=self._run, name="dwcp-replica", daemon=True)
        self._thread.start()
        self.close_at_exit()

    @property
    def sequence(self) -> int:
        """Number of the state that the replica has; 0 before the first."""
        position = self._position
        return 0 if position is None else position.sequence

    @property
    def epoch(self) -> int:
        """Epoch of that state; 0 before the first."""
        position = self._position
        return 0 if position is None else position.epoch

    @property
    def digest(self) -> int:
        """CRC-64/NVME of that state; 0 before the first."""
        position = self._position
        return 0 if position is None else position.digest

    @property
    def state_length_bytes(self) -> int:
        """Length of that state; 0 before the first."""
        position = self._position
        return 0 if position is None else position.state_length_bytes

    @property
    def error(self) -> BaseException | None:
        """What stopped the replica, or the last reason for which it had to reconnect."""
        return self._error or self._last_failure

    def wait(self, sequence: int | None = None, timeout: float | None = None) -> int:
        """Wait for a state.

        Parameters
        ----------
        sequence
            The least number that the state must have; None waits for one that no call of `wait`
            without a number has returned yet.
        timeout
            Seconds; None waits for ever.

        Returns
        -------
        int
            Number of the state that the replica has.

        Raises
        ------
        TimeoutError
            No such state arrived in time; the message says why the connection fails, if it does.
        Closed
            The replica was closed.
        Error, OSError
            What stopped the replica: a refused token, a full disk, a newer protocol.
        """
        with self._changed:

            def is_done() -> bool:
                if self._closing or self._error is not None:
                    return True
                if sequence is None:
                    return self._updates > self._seen
                return self._position is not None and self._position.sequence >= sequence

            done = self._changed.wait_for(is_done, timeout)
            self._raise_if_stopped()
            if not done:
                reason = f": {self._last_failure}" if self._last_failure else ""
                raise TimeoutError(f"no such state within {timeout} seconds{reason}")
            if sequence is None:
                self._seen = self._updates
            return self.sequence

    @contextmanager
    def read(self) -> Iterator[Any]:
        """The state, complete and unchanging inside a ``with`` block.

        Updates wait until the last reader leaves: do not stay long, and do not keep the views.

        Yields
        ------
        dict of str to ndarray, or ndarray
            Read-only views by name where the publisher gave a mapping, else one of bytes.

        Raises
        ------
        Error
            There is no state yet; `wait` for it.
        """
        with self._lock.reading():
            if self._state is None:
                with self._changed:
                    self._raise_if_stopped()
                raise Error("the replica has no state yet: wait() for it")
            yield self._schema.views(self._state)

    def verify(self) -> bool:
        """Recompute the digest of the whole state; whether it is what the publisher published."""
        with self._lock.reading():
            return self._state is not None and crc64nvme(self._state) == self.digest

    def close(self) -> None:
        """Leave the publisher. The last state stays readable. It may be called again.

        It returns when the file is free for another replica; called from `on_update`, at once.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            if not self._ended:
                self._waker.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # The thread

    def _raise_if_stopped(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closing:
            raise Closed("the replica was closed")

    def _run(self) -> None:
        try:
            self._load()
            attempt = 0
            while not self._closing:
                updates, refused = self._updates, self.stats.refused
                try:
                    self._follow()
                except (PeerLost, CorruptFrame) as error:
                    if self._closing:
                        break
                    if not self._reconnect:
                        raise
                    self._last_failure = error
                # A publisher that sends good states and bad ones is no reason to hurry either.
                is_well = self._updates > updates and self.stats.refused == refused
                attempt = 0 if is_well else attempt + 1
                longest = min(
                    _RECONNECT_SECONDS_MAX, _RECONNECT_SECONDS_MIN * 2 ** min(attempt, 20)
                )
                # Many replicas of one publisher must not come back in the same moment.
                pause = longest * random.uniform(0.5, 1)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, pause)
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._waker.close()
            if self._store is not None:
                self._store.close()

    def _load(self) -> None:
        """Resume from disk."""
        if self._store is None:
            return
        start = time.perf_counter()
        found = self._store.load()
        if found is None:
            return
        state, have = found
        try:
            schema = Schema.load(have.schema.encode(), len(state))
        except CorruptFrame:
            return
        position = Position(
            have.epoch, have.sequence, have.digest, have.state_length_bytes, schema.digest
        )
        self._expose(state, schema, position)
        self._report("loaded", 0, start)

    def _follow(self) -> None:
        """Follow the publisher over one connection, until it ends."""
        connection = connect(
            *self._address,
            self._ssl_context,
            self._waker,
            _CONNECT_SECONDS_MAX,
            lambda: self._closing,
        )
        self.stats.connects += 1
        have = None if self._needs_keyframe else self._position
        protocol = ReplicaProtocol(have, self._token, self._state_bytes_max)
        channel = Channel(connection, protocol.reader, self._waker)
        received_before = self.stats.received_bytes
        try:
            channel.queue(protocol.hello())
            session = _Session(self, protocol, channel)
            while not self._closing:
                for message in channel.pump(None):
                    # Before the update is told of, so that it is part of what was received.
                    self.stats.received_bytes = received_before + channel.received_bytes
                    session.take(protocol.receive(message))
                    if self._closing:
                        break
            channel.queue(Bye())
        except (CorruptFrame, CorruptDelta, WrongBase) as error:
            self.stats.refused += 1
            code = (
                ErrorCode.PROTOCOL if isinstance(error, CorruptFrame) else ErrorCode.CORRUPT_STATE
            )
            channel.queue(Failure(code, str(error)))
            if not isinstance(error, CorruptFrame):
                # The state here is still good, but what was sent does not continue it.
                self._needs_keyframe = True
            raise PeerLost(f"refused what the publisher sent: {error}") from error
        except Unsupported as error:
            channel.queue(Failure(ErrorCode.VERSION, str(error)))
            raise
        except (OSError, MemoryError) as error:
            if not isinstance(error, PeerLost):
                channel.queue(Failure(ErrorCode.STORAGE, str(error)))
            raise
        finally:
            self.stats.received_bytes = received_before + channel.received_bytes
            channel.flush(_GOODBYE_SECONDS_MAX)
            channel.close()

    def _expose(self, state: State, schema: Schema, position: Position) -> None:
        with self._lock.writing():
            self._state, self._schema, self._position = state, schema, position
        self._needs_keyframe = False

    def _report(self, kind: Kind, wire: int, start: float) -> None:
        position = self._position
        assert position is not None
        seconds = time.perf_counter() - start
        self.stats.apply_seconds_last = seconds
        with self._changed:
            self._updates += 1
            self._changed.notify_all()
        if self._on_update is not None:
            self._on_update(
                Update(
                    kind,
                    position.epoch,
                    position.sequence,
                    position.digest,
                    position.state_length_bytes,
                    wire,
                    seconds,
                )
            )


class _Session:
    """Applies what one connection brings."""

    def __init__(self, replica: Replica, protocol: ReplicaProtocol, channel: Channel) -> None:
        self._replica = replica
        self._protocol = protocol
        self._channel = channel
        self._incoming: State | None = None
        self._incoming_schema = Schema()
        self._start = 0.0
        self._wire_bytes = 0

    def take(self, message: Hello | Keyframe | Delta | Bye | Failure) -> None:
        match message:
            case Hello():
                self._hello(message)
            case Keyframe():
                self._keyframe(message)
            case Delta():
                self._delta(message)
            case Bye():
                raise PeerLost("the publisher said goodbye")
            case Failure():
                text = f"the publisher refused: {message.message}"
                raise Error(text) if message.code in _FATAL_CODES else PeerLost(text)

    def _hello(self, hello: Hello) -> None:
        start = time.perf_counter()
        limit = self._replica._state_bytes_max
        if hello.state_length_bytes > limit:
            # Trying again does not mend that, so it ends the replica.
            text = (
                f"the state has {hello.state_length_bytes} bytes, "
                f"{limit} are allowed (state_bytes_max)"
            )
            self._channel.queue(Failure(ErrorCode.STORAGE, text))
            raise Error(text)
        have = self._protocol.position
        newest = Position(
            hello.epoch,
            hello.sequence,
            hello.digest,
            hello.state_length_bytes,
            hello.schema_digest,
        )
        if have == newest:
            self._replica._report("current", 0, start)

    def _keyframe(self, part: Keyframe) -> None:
        if part.offset == 0:
            self._start = time.perf_counter()
            self._wire_bytes = 0
            # Zeros at first: pages that nothing is written to take no memory.
            self._incoming = np.zeros(part.state_length_bytes, dtype=np.uint8)
            self._incoming_schema = Schema.load(part.schema, part.state_length_bytes)
        state = self._incoming
        assert state is not None
        self._wire_bytes += memoryview(part.delta).nbytes
        chunk = state[part.offset : part.offset + part.chunk_length_bytes]
        delta.apply(part.delta, chunk)
        if not part.is_last:
            return
        if crc64nvme(state) != part.digest:
            raise CorruptDelta("the parts of a keyframe do not make the state that it names")
        self._incoming = None
        position = Position(
            part.epoch,
            part.sequence,
            part.digest,
            part.state_length_bytes,
            self._incoming_schema.digest,
        )
        replica = self._replica
        if replica._store is not None:
            replica._store.replace(state, _identity(position, self._incoming_schema))
        replica._expose(state, self._incoming_schema, position)
        replica.stats.keyframes += 1
        self._done(position, "keyframe")

    def _delta(self, message: Delta) -> None:
        self._start = time.perf_counter()
        self._wire_bytes = memoryview(message.delta).nbytes
        replica = self._replica
        state, have = replica._state, replica._position
        assert state is not None
        assert have is not None
        with replica._lock.writing():
            digest = delta.apply(message.delta, state, base_digest=have.digest)
            position = replace(have, epoch=message.epoch, sequence=message.sequence, digest=digest)
            replica._position = position
        if replica._store is not None:
            regions = delta.regions(message.delta, merge_gap=_WRITE_GAP_BYTES)
            replica._store.update(state, _identity(position, replica._schema), regions)
        replica.stats.deltas += 1
        self._done(position, "delta")

    def _done(self, position: Position, kind: Kind) -> None:
        self._channel.queue(self._protocol.reached(position))
        self._replica._report(kind, self._wire_bytes, self._start)


def _identity(position: Position, schema: Schema) -> Identity:
    return Identity(
        position.epoch,
        position.sequence,
        position.digest,
        position.state_length_bytes,
        schema.dump().decode(),
    )
