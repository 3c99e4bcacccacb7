"""A link of a known speed: forwards TCP both ways through token buckets and counts the bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

# Small enough that a bucket's pauses are short, large enough that calls cost little.
_CHUNK_BYTES = 64 << 10
# Rate that a thread which was woken too late may catch up with; 2 ms of 1 Gbit/s.
BURST_BYTES = 256 << 10
# Kernel buffers on the way in: bytes that wait there have left the sender but not crossed the link.
_QUEUE_BYTES = 1 << 20
_CONNECT_TIMEOUT_SECONDS = 5.0


class TokenBucket:
    """Lets bytes pass at a limited rate; used by several threads, which then share the rate.

    An idle link saves nothing up: the first bytes after a pause take their time as well. The burst
    is there only for what a sleeping thread misses by waking up late.

    Parameters
    ----------
    rate
        Bytes a second.
    burst
        Bytes that may be made up for at once.
    """

    def __init__(self, rate: float, burst: int = BURST_BYTES) -> None:
        if rate <= 0:
            raise ValueError(f"rate must be above 0 bytes a second, not {rate}")
        self._rate = rate
        self._burst = float(burst)
        self._tokens = 0.0
        self._filled_at = time.monotonic()
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Wait until `count` bytes may pass."""
        with self._lock:
            now = time.monotonic()
            earned = (now - self._filled_at) * self._rate
            self._filled_at = now
            # The count is charged at once and may leave a debt, so that threads that wait at the
            # same time queue up behind each other's debt rather than all waking up together.
            tokens = self._tokens + earned
            self._tokens = (0.0 if tokens > self._burst else tokens) - count
            debt = -self._tokens
        if debt > 0:
            time.sleep(debt / self._rate)


class Direction:
    """One direction of a link: its bucket, its count, and a gate that can hold traffic.

    Parameters
    ----------
    rate
        Bytes a second.
    """

    def __init__(self, rate: float) -> None:
        self._bucket = TokenBucket(rate)
        self._changed = threading.Condition()
        self._forwarded = 0
        self._limit: int | None = None
        self._held = False

    @property
    def forwarded_bytes(self) -> int:
        """Bytes that have crossed since the link was made."""
        with self._changed:
            return self._forwarded

    def hold_after(self, count: int) -> None:
        """Let `count` more bytes cross, then hold all traffic until `release`."""
        with self._changed:
            self._limit = self._forwarded + count
            self._changed.notify_all()

    def release(self) -> None:
        """Let traffic cross again."""
        with self._changed:
            self._limit = None
            self._held = False
            self._changed.notify_all()

    def wait_held(self, timeout: float) -> bool:
        """Wait until traffic is being held; False when `timeout` seconds pass first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._held, timeout)

    def _admit(self, wanted: int) -> int:
        """Bytes that may cross now, at least 1, counted; waits while traffic is held.

        They are counted before they are sent: an answer to them must not arrive before the count.
        """
        with self._changed:
            while self._limit is not None and self._forwarded >= self._limit:
                self._held = True
                self._changed.notify_all()
                self._changed.wait()
            step = wanted if self._limit is None else min(wanted, self._limit - self._forwarded)
            self._forwarded += step
            return step

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        """Forward until `source` ends or either end fails; then pass the end on."""
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        with contextlib.suppress(OSError):
            while count := source.recv_into(buffer):
                sent = 0
                while sent < count:
                    step = self._admit(count - sent)
                    self._bucket.take(step)
                    sink.sendall(buffer[sent : sent + step])
                    sent += step
        # Shutting down both ways ends the other direction's thread too when a peer has died.
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Link:
    """A full-duplex link of a limited speed, shared by all connections through it.

    Every method may be called from any thread.

    Parameters
    ----------
    bits_per_second
        Speed of each direction.
    """

    def __init__(self, bits_per_second: float) -> None:
        self.downstream = Direction(bits_per_second / 8)
        self.upstream = Direction(bits_per_second / 8)
        self._lock = threading.Lock()
        self._moved = threading.Condition(self._lock)
        self._closed = False
        self._listeners: list[socket.socket] = []
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Link:
        """Use the link."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cut the link."""
        self.close()

    @property
    def forwarded_bytes(self) -> int:
        """Bytes that have crossed since the link was made, both ways."""
        return self.downstream.forwarded_bytes + self.upstream.forwarded_bytes

    def forward(self, address: tuple[str, int]) -> tuple[str, int]:
        """Listen on loopback and forward every connection to `address`.

        Parameters
        ----------
        address
            Host and port where the connections go.

        Returns
        -------
        tuple
            Host and port to connect to instead.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        with self._lock:
            self._listeners.append(listener)
        self._start(self._accept, listener, address)
        host, port = listener.getsockname()[:2]
        return str(host), int(port)

    def wait_connected(self, timeout: float) -> bool:
        """Wait until a connection is being forwarded; False when `timeout` seconds pass first."""
        with self._moved:
            return self._moved.wait_for(lambda: bool(self._ends), timeout)

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no connection is left; False when `timeout` seconds pass first."""
        with self._moved:
            return self._moved.wait_for(lambda: not self._ends, timeout)

    def close(self) -> None:
        """Cut all connections and wait for the threads."""
        with self._lock:
            self._closed = True
            listeners, ends = list(self._listeners), list(self._ends)
        for listener in listeners:
            # close() alone does not wake a thread that waits in accept().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.downstream.release()
        self.upstream.release()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, address: tuple[str, int]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(address, timeout=_CONNECT_TIMEOUT_SECONDS)
            except OSError:
                client.close()
                continue
            self._start(self._connect, client, server)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
        with self._lock:
            if self._closed:
                client.close()
                server.close()
                return
            self._ends.update((client, server))
            self._moved.notify_all()
        back = threading.Thread(target=self.upstream.carry, args=(client, server), daemon=True)
        back.start()
        self.downstream.carry(server, client)
        back.join()
        with self._lock:
            self._ends.difference_update((client, server))
            self._moved.notify_all()
        client.close()
        server.close()
