"""The publishing side: follows a state and keeps any number of replicas up to date."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dwcp import delta
from dwcp.errors import Closed
from dwcp.replica.connection import Connection, ConnectionInfo
from dwcp.replica.frames import Delta
from dwcp.replica.lifetime import Closable
from dwcp.replica.protocol import Position, token_bytes
from dwcp.replica.source import BufferSource, Codec, EncoderOptions, FileSource, Source
from dwcp.replica.stats import PublishResult
from dwcp.replica.transport import is_loopback, listening_socket, parse_address
from dwcp.typing import BufferLike

__all__ = ["Publisher"]

# Each connection has a thread and two or three descriptors.
CONNECTIONS_MAX = 256


@dataclass(frozen=True)
class Snapshot:
    """A whole state, copied, for replicas that need one."""

    position: Position
    schema: bytes
    state: NDArray[np.uint8]


class Publisher(Closable):
    """Publishes successive states of a source to replicas.

    The first state is published at once, with sequence 1. All methods may be called from any
    thread. Replicas are served by one thread each; none holds up another or `publish`.

    Parameters
    ----------
    source
        A C-contiguous buffer, or a mapping of names to NumPy arrays or buffers. The publisher
        keeps it and reads it in `publish`: change it in place, not while `publish` runs.
    codec, level, block_size
        As for `dwcp.delta.encode`.
    history_bytes
        Most bytes of recent deltas that are kept for replicas that fall behind or come back;
        whoever is further behind gets a whole state. By default a quarter of the state, and 16 MiB
        at least.
    token
        What replicas must present, 1 to 1,024 bytes; None lets in whoever can connect.
    connections_max
        Most connections at a time, whether or not they have said hello; more are closed at once.
    track
        Whether to look only at pages that were written since the last `publish`, as a
        `dwcp.delta.DirtyTracker` tells; `tracker` is that one, and says whether the kernel does so.

    Raises
    ------
    TypeError, BufferError, ValueError
        The source or an option is not usable.
    """

    _closed: bool
    _snapshot: Snapshot | None
    _delivered: Position | None

    def __init__(
        self,
        source: BufferLike | Mapping[str, BufferLike],
        *,
        codec: Codec = "none",
        level: int | None = None,
        block_size: int = 1 << 20,
        history_bytes: int | None = None,
        token: str | bytes | None = None,
        connections_max: int = CONNECTIONS_MAX,
        track: bool = False,
    ) -> None:
        options = EncoderOptions(codec, level, block_size)
        held = BufferSource(source, options, track)
        self._setup(held, options, history_bytes, token, connections_max)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        codec: Codec = "none",
        level: int | None = None,
        block_size: int = 1 << 20,
        history_bytes: int | None = None,
        token: str | bytes | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> Publisher:
        """Publish what a file, memory file or block device holds.

        Each `publish` reads it with pread(2), again where it was written to meanwhile as far as its
        times tell; docs/protocol.md says what they do not tell. A file that is replaced under its
        name is followed, and one that changes its length starts a new epoch with a keyframe.

        Raises
        ------
        OSError
            The file cannot be read.
        SourceChanged
            It never stood still long enough.
        """
        self = cls.__new__(cls)
        options = EncoderOptions(codec, level, block_size)
        self._setup(FileSource(path, options), options, history_bytes, token, connections_max)
        return self

    # The state

    @property
    def sequence(self) -> int:
        """Number of the newest published state."""
        return self._head.sequence

    @property
    def epoch(self) -> int:
        """Random number that changes when sequences start anew."""
        return self._head.epoch

    @property
    def digest(self) -> int:
        """CRC-64/NVME of the newest published state."""
        return self._head.digest

    @property
    def state_length_bytes(self) -> int:
        """Length of the newest published state."""
        return self._head.state_length_bytes

    @property
    def tracker(self) -> delta.DirtyTracker | None:
        """What tells which pages were written, with `track`; marks may be set on it."""
        return self._source.tracker

    @property
    def is_delivered(self) -> bool:
        """Whether any replica has had the newest state, even if it has left since."""
        return self._delivered == self._head

    @property
    def connections(self) -> list[ConnectionInfo]:
        """The replicas that are connected, and how far they are."""
        with self._changed:
            return [connection.info() for connection in self._connections]

    def publish(self) -> PublishResult:
        """Publish the state that the source has now.

        A state equal to the last one takes no sequence and sends nothing.

        Returns
        -------
        PublishResult
            The sequence, the bytes that differ, the length of the delta and the seconds that
            making it took. Replicas receive it afterwards; see `wait`.

        Raises
        ------
        Closed
            The publisher was closed.
        SourceChanged
            The file never stood still long enough; nothing was published.
        ValueError
            A buffer has another length than at first.
        OSError
            The file cannot be read.
        """
        start = time.perf_counter()
        with self._encoding:
            if self._closed:
                raise Closed("the publisher was closed")
            encoded = self._source.encode(self._encoder)
            if encoded is not None and self._encoder.changed_bytes == 0:
                return self._result(0, 0, start)
            # Reading a file may take long, and _changed is what acknowledgements wait for.
            encoder = self._source.encoder() if encoded is None else None
            with self._changed:
                # Replicas that are receiving the copy keep it; nobody else will ask for it.
                self._snapshot = None
                if encoder is not None:
                    self._start_epoch(encoder)
                    result = self._result(self.state_length_bytes, 0, start, is_keyframe=True)
                elif encoded is not None:
                    self._append(encoded)
                    result = self._result(self._encoder.changed_bytes, len(encoded), start)
                self._changed.notify_all()
                for connection in self._connections:
                    connection.wake()
        return result

    def wait(
        self, sequence: int | None = None, timeout: float | None = None, replicas: int = 1
    ) -> bool:
        """Wait until every connected replica has acknowledged a state, and at least so many.

        Parameters
        ----------
        sequence
            The state; None is the newest one now.
        timeout
            Seconds; None waits for ever.
        replicas
            Fewest replicas that must have it.

        Returns
        -------
        bool
            False when the timeout came first.

        Raises
        ------
        Closed
            The publisher was closed.
        """
        with self._changed:
            epoch, target = self.epoch, self.sequence if sequence is None else sequence

            def has_it(have: Position) -> bool:
                # A later epoch is a later state, whatever its numbers are.
                return have.epoch == self.epoch and (self.epoch != epoch or have.sequence >= target)

            def is_done() -> bool:
                joined = [c.acknowledged for c in self._connections if c.acknowledged is not None]
                return self._closed or (
                    len(joined) >= replicas and all(has_it(have) for have in joined)
                )

            done = self._changed.wait_for(is_done, timeout)
            if self._closed:
                raise Closed("the publisher was closed")
            return done

    # The network

    def listen(
        self,
        address: str = "127.0.0.1:0",
        *,
        ssl_context: ssl.SSLContext | None = None,
        insecure: bool = False,
    ) -> tuple[str, int]:
        """Accept replicas at an address; several addresses may be listened to.

        Parameters
        ----------
        address
            "host:port"; port 0 takes a free one.
        ssl_context
            TLS context of the server side.
        insecure
            Allow addresses beyond this machine without TLS.

        Returns
        -------
        tuple of str and int
            Host and port that replicas connect to.

        Raises
        ------
        ValueError
            The address is malformed, or reaches beyond loopback without TLS or `insecure`.
        OSError
            The port is in use, or the address is not one of this machine.
        """
        host, port = parse_address(address)
        if ssl_context is None and not insecure and not is_loopback(host):
            raise ValueError(
                f"listening on {host} lets others connect: give an ssl_context, "
                "or insecure=True where the network is trusted"
            )
        server = listening_socket(host, port)
        with self._changed:
            if self._closed:
                server.close()
                raise Closed("the publisher was closed")
            self._servers.append(server)
            self._start_thread("dwcp-accept", lambda: self._accept(server, ssl_context))
        bound = server.getsockname()
        return bound[0], bound[1]

    def close(self) -> None:
        """Say goodbye to the replicas and stop. It may be called again."""
        with self._encoding, self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
            for server in self._servers:
                # Ends accept() in the other thread, which close() alone does not.
                server.shutdown(socket.SHUT_RDWR)
                server.close()
            for connection in self._connections:
                connection.wake()
            threads = self._threads
        for thread in threads:
            thread.join()
        self._source.close()

    # For connections

    @property
    def options(self) -> EncoderOptions:
        """How deltas and keyframes are made."""
        return self._options

    @property
    def is_closed(self) -> bool:
        """Whether close was called."""
        return self._closed

    @property
    def head(self) -> Position:
        """The newest published state."""
        return self._head

    def snapshot(self) -> Snapshot:
        """The newest state as a copy that does not change; shared by those who ask for it."""
        with self._encoding:
            shared = self._snapshot
            if shared is None or shared.position != self._head:
                state = np.frombuffer(self._encoder.state, dtype=np.uint8).copy()
                shared = self._snapshot = Snapshot(self._head, self._source.schema.dump(), state)
            return shared

    def release_snapshot(self, snapshot: Snapshot) -> None:
        """Forget a snapshot that a replica has received."""
        with self._encoding:
            if self._snapshot is snapshot:
                self._snapshot = None

    def delta_from(self, have: Position) -> tuple[Position, Delta] | None:
        """One delta from a state that a replica has to the newest one; None when it needs all."""
        with self._encoding:
            head = self._head
            if have.state_length_bytes != head.state_length_bytes:
                return None
            if have.epoch != head.epoch:
                if have.epoch == 0 or (have.digest, have.schema_digest) != (
                    head.digest,
                    head.schema_digest,
                ):
                    return None
                # The same bytes published under another epoch: only the names differ.
                encoded = delta.encode(
                    self._encoder.state, self._encoder.state, base_digest=head.digest
                )
            else:
                # Sequences in the log follow each other, and a deque is quick near its ends.
                count = head.sequence - have.sequence
                if not 0 < count <= len(self._log) or self._log[-count][0] != have:
                    return None
                missing = [self._log[index][1] for index in range(-count, 0)]
                encoded = missing[0]
                if len(missing) > 1:
                    encoded = delta.compose(
                        missing,
                        self._encoder.state,
                        codec=self._options.codec,
                        level=self._options.level,
                    )
            return head, Delta(have.epoch, have.sequence, head.epoch, head.sequence, encoded)

    def joined(self, connection: Connection) -> None:
        """A replica said hello or acknowledged something."""
        have = connection.acknowledged
        with self._changed:
            if have == self._head:
                self._delivered = have
            self._changed.notify_all()

    def left(self, connection: Connection) -> None:
        """A connection ended."""
        with self._changed:
            if connection in self._connections:
                self._connections.remove(connection)
            self._changed.notify_all()

    # Internals

    def _setup(
        self,
        source: Source,
        options: EncoderOptions,
        history_bytes: int | None,
        token: str | bytes | None,
        connections_max: int,
    ) -> None:
        with ExitStack() as undo:
            undo.callback(source.close)
            if history_bytes is not None and history_bytes < 0:
                raise ValueError(f"history_bytes must not be negative, not {history_bytes}")
            if connections_max < 1:
                raise ValueError(f"connections_max must be at least 1, not {connections_max}")
            self._token = token_bytes(token)
            encoder = source.encoder()
            undo.pop_all()
        self._source = source
        self._options = options
        self._history_bytes = history_bytes
        self._connections_max = connections_max
        self._schema_digest = source.schema.digest
        # Held while the encoder works or its copy is read; taken before _changed.
        self._encoding = threading.RLock()
        # Guards what waiters look at.
        self._changed = threading.Condition()
        self._log: deque[tuple[Position, bytes]] = deque()
        self._log_bytes = 0
        self._connections: list[Connection] = []
        self._servers: list[socket.socket] = []
        self._snapshot = None
        self._delivered = None
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._start_epoch(encoder)
        self.close_at_exit()

    def _start_epoch(self, encoder: delta.Encoder) -> None:
        self._encoder = encoder
        self._log.clear()
        self._log_bytes = 0
        # 0 stands for no state at all.
        epoch = secrets.randbits(63) + 1
        self._head = Position(
            epoch, 1, encoder.digest, encoder.state_length_bytes, self._schema_digest
        )

    def _start_thread(self, name: str, work: Callable[[], None]) -> None:
        """Start a thread that close() waits for. With _changed held."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _append(self, encoded: bytes) -> None:
        base = self._head
        self._head = replace(base, sequence=base.sequence + 1, digest=self._encoder.digest)
        self._log.append((base, encoded))
        self._log_bytes += len(encoded)
        limit = self._history_bytes
        if limit is None:
            limit = max(self.state_length_bytes // 4, 16 << 20)
        # The newest one stays: replicas that are up to date must never need a whole state.
        while self._log_bytes > limit and len(self._log) > 1:
            self._log_bytes -= len(self._log.popleft()[1])

    def _result(
        self, changed_bytes: int, wire_bytes: int, start: float, *, is_keyframe: bool = False
    ) -> PublishResult:
        return PublishResult(
            self.epoch,
            self.sequence,
            self.state_length_bytes,
            changed_bytes,
            wire_bytes,
            time.perf_counter() - start,
            is_keyframe,
        )

    def _accept(self, server: socket.socket, ssl_context: ssl.SSLContext | None) -> None:
        while True:
            try:
                accepted, _ = server.accept()
            except OSError as error:
                if self._closed or error.errno is None:
                    return
                # Out of descriptors, or a peer that was gone at once: the next one may do.
                with self._changed:
                    if self._changed.wait_for(lambda: self._closed, 0.1):
                        return
                continue
            with self._changed:
                if self._closed:
                    accepted.close()
                    return
                if len(self._connections) >= self._connections_max:
                    accepted.close()
                    continue
                connection = Connection(self, accepted, ssl_context, self._token)
                self._connections.append(connection)
                self._start_thread("dwcp-serve", connection.run)
