"""Peers that hang, vanish, crowd or ask too much."""

import errno
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwcp import Error, PeerLost
from dwcp.replica import Publisher, Replica, Update
from dwcp.replica.transport import Waker, connect

from .conftest import TIMEOUT, namespace_command

Publish = Callable[..., tuple[Publisher, str]]
Follow = Callable[..., Replica]

# Half of what a blocked connection would wait for; closing takes milliseconds.
CLOSE_SECONDS_MAX = 5.0


@pytest.fixture
def hanging() -> Any:
    """An address where connecting neither succeeds nor fails: the backlog is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()


def seconds_to_close(item: Publisher | Replica) -> float:
    start = time.monotonic()
    item.close()
    return time.monotonic() - start


def test_replica_closes_at_once_while_connecting_hangs(hanging: tuple[str, int]) -> None:
    host, port = hanging
    replica = Replica(f"{host}:{port}")
    with pytest.raises(TimeoutError):
        replica.wait(timeout=0.2)
    assert seconds_to_close(replica) < CLOSE_SECONDS_MAX


def test_connecting_ends_with_its_timeout(hanging: tuple[str, int]) -> None:
    waker = Waker()
    with pytest.raises(PeerLost, match="did not answer in time"):
        connect(*hanging, None, waker, 0.1, lambda: False)
    waker.close()


def test_replica_closes_at_once_while_the_publisher_is_silent_in_the_handshake() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        context = ssl.create_default_context()
        replica = Replica(f"127.0.0.1:{server.getsockname()[1]}", ssl_context=context)
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(1) == b"\x16"  # its part of the handshake has begun
            assert seconds_to_close(replica) < CLOSE_SECONDS_MAX


def test_publisher_closes_at_once_while_a_peer_is_silent_in_the_handshake() -> None:
    publisher = Publisher(b"x")
    address = publisher.listen(ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    with socket.create_connection(address, timeout=TIMEOUT):
        deadline = time.monotonic() + TIMEOUT
        while not publisher.connections:
            assert time.monotonic() < deadline
        assert seconds_to_close(publisher) < CLOSE_SECONDS_MAX


VANISHED = """
import fcntl, socket, struct
from dwcp import PeerLost
from dwcp.replica import Replica, transport

transport._KEEPALIVE_IDLE_SECONDS = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as control:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
with socket.create_server(("127.0.0.1", 0)) as server:
    with Replica("127.0.0.1:%d" % server.getsockname()[1], reconnect=False) as replica:
        accepted, _ = server.accept()
        assert accepted.recv(4096)
        # A socket under repair goes without a word, as with a host that loses its power.
        TCP_REPAIR = 19
        accepted.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        accepted.close()
        try:
            replica.wait(timeout=20)
        except PeerLost:
            print("noticed")
"""


def test_host_that_vanishes_is_noticed_on_an_idle_connection() -> None:
    command = namespace_command("--net")
    result = subprocess.run(
        [*command, sys.executable, "-c", VANISHED],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.stdout == "noticed\n", result.stderr


def test_more_connections_than_allowed_are_closed(publish: Publish, follow: Follow) -> None:
    _, address = publish(b"state", connections_max=1)
    first = follow(address)
    first.wait(timeout=TIMEOUT)
    with Replica(address, reconnect=False) as second, pytest.raises(PeerLost):
        second.wait(timeout=TIMEOUT)
    first.close()
    # The place is free again.
    follow(address).wait(timeout=TIMEOUT)
    with pytest.raises(ValueError, match="connections_max must be at least 1"):
        Publisher(b"x", connections_max=0)


@pytest.mark.parametrize("token", ["", b"", "x" * 1025])
def test_tokens_that_cannot_protect_or_travel_are_refused(token: str | bytes) -> None:
    with pytest.raises(ValueError, match="token must have 1 to 1024 bytes"):
        Publisher(b"x", token=token)
    with pytest.raises(ValueError, match="token must have 1 to 1024 bytes"):
        Replica("127.0.0.1:1", token=token)


def test_longest_token_travels(publish: Publish, follow: Follow) -> None:
    _, address = publish(b"x", token=b"t" * 1024)
    assert follow(address, token=b"t" * 1024).wait(timeout=TIMEOUT) == 1


def test_listening_fails_with_the_reason_and_no_false_hint() -> None:
    with Publisher(b"x") as publisher:
        with pytest.raises(OSError, match="this machine has no such address") as caught:
            publisher.listen("192.0.2.1:0", insecure=True)
        assert caught.value.errno == errno.EADDRNOTAVAIL
        with pytest.raises(OSError, match="cannot listen on") as caught:
            publisher.listen("name.invalid:0", insecure=True)
        assert "another publisher" not in str(caught.value)


def test_state_longer_than_the_replica_takes_ends_it(publish: Publish, follow: Follow) -> None:
    _, address = publish(bytes(1000))
    with pytest.raises(Error, match=r"1000 bytes, 999 are allowed \(state_bytes_max\)"):
        follow(address, state_bytes_max=999).wait(timeout=TIMEOUT)
    assert follow(address, state_bytes_max=1000).wait(timeout=TIMEOUT) == 1


def test_without_reconnecting_a_lost_publisher_ends_the_replica(follow: Follow) -> None:
    with Publisher(b"state") as publisher:
        host, port = publisher.listen()
        replica = follow(f"{host}:{port}", reconnect=False)
        replica.wait(timeout=TIMEOUT)
    with pytest.raises(PeerLost):
        replica.wait(timeout=TIMEOUT)
    with replica.read() as state:
        assert state.tobytes() == b"state"


def test_replica_may_be_closed_from_its_callback(publish: Publish, tmp_path: Path) -> None:
    _, address = publish(b"state")
    replicas: list[Replica] = []
    constructed, closed = threading.Event(), threading.Event()

    def close(_: Update) -> None:
        assert constructed.wait(TIMEOUT)
        replicas[0].close()
        closed.set()

    replicas.append(Replica(address, path=tmp_path / "copy", on_update=close))
    constructed.set()
    assert closed.wait(TIMEOUT)
    replicas[0].close()
    assert replicas[0].error is None
    # The file is free for another one.
    with Replica(address, path=tmp_path / "copy") as another:
        assert another.wait(timeout=TIMEOUT) == 1


def test_bytes_received_are_told_while_connected(publish: Publish, follow: Follow) -> None:
    state = np.random.default_rng(0).integers(0, 256, 50_000, dtype=np.uint8)
    publisher, address = publish(state)
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    first = replica.stats.received_bytes
    assert first > 50_000
    state[::100] += 1
    result = publisher.publish()
    replica.wait(result.sequence, timeout=TIMEOUT)
    assert first + result.wire_bytes < replica.stats.received_bytes
    assert replica.stats.received_bytes < first + result.wire_bytes + 200
