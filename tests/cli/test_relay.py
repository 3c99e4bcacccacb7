from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dwcp.cli import fullcopy
from dwcp.cli.relay import BURST_BYTES, Link, TokenBucket

MIB = 1 << 20


@pytest.fixture
def link() -> Iterator[Link]:
    with Link(400e6) as found:
        yield found


def connect(link: Link) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection through the link: the listening side's, then the other's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        host, port = listener.getsockname()[:2]
        near = socket.create_connection(link.forward((host, port)), timeout=10)
        far, _ = listener.accept()
    far.settimeout(10)
    return far, near


def receive(end: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        part = end.recv(count - len(found))
        assert part
        found += part
    return bytes(found)


def test_bytes_pass_both_ways_and_are_counted(link: Link) -> None:
    far, near = connect(link)
    with far, near:
        far.sendall(b"down" * 100)
        assert receive(near, 400) == b"down" * 100
        near.sendall(b"up" * 30)
        assert receive(far, 60) == b"up" * 30
    assert link.downstream.forwarded_bytes == 400
    assert link.upstream.forwarded_bytes == 60


def test_the_rate_is_never_above_the_cap(link: Link, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8 * MIB))
    sent = fullcopy.send(path, link)
    assert sent.wire_bytes == 8 * MIB + 1
    # What a bucket promises of any span of time: the rate times the span, and one burst.
    assert sent.seconds >= 0.99 * (8 * MIB - BURST_BYTES) / 50e6


def test_an_idle_bucket_saves_nothing_up() -> None:
    bucket = TokenBucket(rate=1e6)
    started = time.monotonic()
    # Far more than the burst could have been earned since the beginning of time.
    bucket._filled_at -= 3600
    bucket.take(50_000)
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("rate", [0, -1.0])
def test_a_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        TokenBucket(rate)


def test_held_traffic_stops_at_the_byte_and_goes_on_when_released(link: Link) -> None:
    far, near = connect(link)
    with far, near:
        link.downstream.hold_after(1000)
        far.sendall(b"x" * 5000)
        assert link.downstream.wait_held(10)
        assert receive(near, 1000) == b"x" * 1000
        near.setblocking(False)
        with pytest.raises(BlockingIOError):
            near.recv(1)
        near.settimeout(10)
        link.downstream.release()
        assert receive(near, 4000) == b"x" * 4000


def test_the_end_of_one_side_reaches_the_other(link: Link) -> None:
    far, near = connect(link)
    with far:
        near.close()
        assert far.recv(1) == b""
    assert link.wait_idle(10)


def test_a_connection_to_nobody_is_closed(link: Link) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]
    with socket.create_connection(link.forward(address), timeout=10) as end:
        assert end.recv(1) == b""


def test_closing_ends_held_connections() -> None:
    with Link(1e9) as link:
        far, near = connect(link)
        link.downstream.hold_after(0)
        far.sendall(b"never")
        assert link.downstream.wait_held(10)
    with far, near, pytest.raises(OSError):
        far.sendall(b"x" * MIB)
        far.sendall(b"x" * MIB)
