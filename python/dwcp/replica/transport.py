"""TCP for the replica protocol: addresses, and a channel that moves frames without blocking."""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator

from dwcp.errors import Error, PeerLost
from dwcp.replica.frames import FrameReader, Message, to_buffers

__all__ = [
    "Channel",
    "Waker",
    "connect",
    "is_loopback",
    "listening_socket",
    "parse_address",
    "start_tls",
]

# Buffers given to one sendmsg; the kernel's own limit is 1,024.
_BUFFERS_PER_SEND = 16
# Bytes handed to one TLS write: the record layer copies, so more at once gains nothing.
_TLS_WRITE_BYTES = 1 << 18
# A host that vanished (no power, no network) is noticed on an idle connection within 30 seconds;
# by the kernel's defaults it would take more than two hours, and the copy be stale all the while.
_KEEPALIVE_IDLE_SECONDS = 15
_KEEPALIVE_INTERVAL_SECONDS = 5
_KEEPALIVE_PROBES = 3


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port", "[::1]:port" or "tcp://host:port".

    Raises
    ------
    ValueError
        The address has another form, or the port is not from 0 to 65535.
    """
    text = address.removeprefix("tcp://")
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not separator or not host or (":" in host and not text.startswith("[")):
        raise ValueError(f"address must be HOST:PORT or [IPV6]:PORT, not {address!r}")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"port of address {address!r} must be a number from 0 to 65535")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


_LISTEN_HINTS = {
    errno.EADDRINUSE: "; is another publisher running? Port 0 takes a free one",
    errno.EADDRNOTAVAIL: "; this machine has no such address",
    errno.EACCES: "; ports below 1024 need privileges",
}


def listening_socket(host: str, port: int) -> socket.socket:
    """Accept connections at an address; port 0 takes a free one.

    Raises
    ------
    OSError
        The port is in use, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        hint = _LISTEN_HINTS.get(error.errno or 0, "")
        # The standard library adds the address, which is named here already.
        reason = str(error.strerror or error).partition(" (while")[0]
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {reason}{hint}") from error


class Waker:
    """Ends another thread's wait for a channel. `wake` may be called from any thread."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) if hasattr(os, "eventfd") else -1
        self._pair = socket.socketpair() if self._fd < 0 else None

    def fileno(self) -> int:
        """For a selector."""
        return self._fd if self._pair is None else self._pair[0].fileno()

    def wake(self) -> None:
        """End the wait, or the next one."""
        if self._pair is None:
            os.eventfd_write(self._fd, 1)
        else:
            self._pair[1].send(b"\0")

    def clear(self) -> None:
        """Take the wake-ups so far."""
        if self._pair is None:
            os.eventfd_read(self._fd)
        else:
            self._pair[0].recv(4096)

    def close(self) -> None:
        """Give the descriptors back."""
        if self._pair is None:
            os.close(self._fd)
        else:
            for end in self._pair:
                end.close()


def _wait_for(
    connection: socket.socket,
    events: int,
    waker: Waker,
    deadline: float,
    is_cancelled: Callable[[], bool],
) -> None:
    """Wait until a socket is ready, for PeerLost when that is in vain or not wanted any more."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, events)
        selector.register(waker, selectors.EVENT_READ)
        while True:
            if is_cancelled():
                raise PeerLost("the connection was given up")
            left = deadline - time.monotonic()
            if left <= 0:
                raise PeerLost("the peer did not answer in time")
            ready = [key.fileobj for key, _ in selector.select(left)]
            if waker in ready:
                waker.clear()
            if connection in ready:
                return


def start_tls(
    connection: ssl.SSLSocket, waker: Waker, timeout: float, is_cancelled: Callable[[], bool]
) -> None:
    """Shake hands over a socket that was wrapped and has not done so.

    Raises
    ------
    PeerLost
        The peer did not answer in time, or the waker was woken and `is_cancelled` said so.
    OSError
        The handshake failed; ssl.SSLCertVerificationError when the peer is not trusted.
    """
    deadline = time.monotonic() + timeout
    connection.setblocking(False)
    while True:
        try:
            connection.do_handshake()
        except ssl.SSLWantReadError:
            events = selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            events = selectors.EVENT_WRITE
        else:
            return
        _wait_for(connection, events, waker, deadline, is_cancelled)


def connect(
    host: str,
    port: int,
    ssl_context: ssl.SSLContext | None,
    waker: Waker,
    timeout: float,
    is_cancelled: Callable[[], bool],
) -> socket.socket:
    """Connect over TCP, and TLS where there is a context for it; the socket does not block.

    Raises
    ------
    PeerLost
        Nobody answers at the address within `timeout` seconds, or the waker was woken and
        `is_cancelled` said so.
    Error
        The peer's certificate is not trusted.
    """
    connection = _connect_tcp(host, port, waker, timeout, is_cancelled)
    if ssl_context is None:
        return connection
    wrapped = ssl_context.wrap_socket(
        connection, server_hostname=host, do_handshake_on_connect=False
    )
    try:
        start_tls(wrapped, waker, timeout, is_cancelled)
    except ssl.SSLCertVerificationError as error:
        wrapped.close()
        raise Error(f"the publisher's certificate is not trusted: {error}") from error
    except OSError as error:
        wrapped.close()
        raise PeerLost(f"TLS with {host}:{port} failed: {error}") from error
    return wrapped


def _connect_tcp(
    host: str, port: int, waker: Waker, timeout: float, is_cancelled: Callable[[], bool]
) -> socket.socket:
    deadline = time.monotonic() + timeout
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise PeerLost(f"cannot find {host}: {error.strerror}") from error
    for family, kind, protocol, _, where in found:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            code = connection.connect_ex(where)
            if code == errno.EINPROGRESS:
                _wait_for(connection, selectors.EVENT_WRITE, waker, deadline, is_cancelled)
                code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code != 0:
                raise OSError(code, os.strerror(code))
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise PeerLost(f"cannot connect to {host}:{port}: {failure}") from failure


class Channel:
    """Frames over one connected socket, which it owns. One thread at a time.

    Outgoing messages are queued; `pump` sends and receives what it can. A peer that does not read
    holds up nobody but its own channel.
    """

    def __init__(self, connection: socket.socket, reader: FrameReader, waker: Waker) -> None:
        self._socket = connection
        self._reader = reader
        self._waker = waker
        self._outgoing: deque[memoryview] = deque()
        self.sent_bytes = 0
        self.received_bytes = 0
        connection.setblocking(False)
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in (
                (socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_SECONDS),
                (socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_SECONDS),
                (socket.TCP_KEEPCNT, _KEEPALIVE_PROBES),
            ):
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(waker, selectors.EVENT_READ)

    @property
    def is_idle(self) -> bool:
        """Whether all that was queued has been handed to the kernel."""
        return not self._outgoing

    def queue(self, message: Message) -> int:
        """Queue a message and return how many bytes it takes. Its buffers must not change."""
        count = 0
        for buffer in to_buffers(message):
            view = memoryview(buffer).cast("B")
            count += len(view)
            if len(view) > 0:
                self._outgoing.append(view)
        return count

    def pump(self, timeout: float | None) -> Iterator[Message]:
        """Wait for the peer, the waker or the timeout; send what fits, yield what arrived.

        Raises
        ------
        PeerLost
            The peer closed the connection or it broke.
        CorruptFrame, Unsupported
            The peer sent something else than frames.
        """
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        self._selector.modify(self._socket, events)
        # TLS may hold received bytes that no selector sees.
        buffered = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        for key, _ in self._selector.select(0 if buffered else timeout):
            if key.fileobj is self._waker:
                self._waker.clear()
        try:
            self._send()
            yield from self._receive()
        except OSError as error:
            raise PeerLost(f"the connection broke: {error}") from error

    def flush(self, timeout: float) -> None:
        """Send what is queued, within `timeout` seconds, ignoring failures: for last words."""
        try:
            self._socket.settimeout(timeout)
            while self._outgoing:
                self._socket.sendall(self._outgoing.popleft())
        except OSError:
            self._outgoing.clear()

    def close(self) -> None:
        """Close the connection."""
        self._selector.close()
        self._socket.close()

    def _send(self) -> None:
        while self._outgoing:
            try:
                count = self._send_some()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            self.sent_bytes += count
            while count > 0:
                first = self._outgoing[0]
                if count < len(first):
                    self._outgoing[0] = first[count:]
                    break
                count -= len(first)
                self._outgoing.popleft()

    def _send_some(self) -> int:
        if isinstance(self._socket, ssl.SSLSocket):
            return self._socket.send(self._outgoing[0][:_TLS_WRITE_BYTES])
        count = min(len(self._outgoing), _BUFFERS_PER_SEND)
        return self._socket.sendmsg([self._outgoing[i] for i in range(count)])

    def _receive(self) -> Iterator[Message]:
        while True:
            try:
                count = self._socket.recv_into(self._reader.get_buffer())
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if count == 0:
                where = "" if self._reader.is_between_frames else " in the middle of a frame"
                raise PeerLost(f"the peer closed the connection{where}")
            self.received_bytes += count
            message = self._reader.buffer_updated(count)
            if message is not None:
                yield message
