"""Strangers and liars on the network."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from dwcp import PeerLost, delta
from dwcp.replica import Publisher, Replica
from dwcp.replica.frames import Bye, Delta, FrameReader, Hello, Keyframe, Limits, Role, Type
from dwcp.replica.transport import Channel, Waker, parse_address

from .conftest import TIMEOUT

Publish = Callable[..., tuple[Publisher, str]]
Follow = Callable[..., Replica]


def random_state(length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)


def test_noise_from_the_network_harms_nobody(publish: Publish, follow: Follow) -> None:
    state = bytearray(1000)
    publisher, address = publish(state)
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    for noise in (b"GET / HTTP/1.1\r\n\r\n" * 10, b"", bytes(4096)):
        client = socket.create_connection(parse_address(address), timeout=TIMEOUT)
        # Answered with an error frame and closed, or reset where noise was left unread.
        with client, suppress(ConnectionError, OSError):
            client.sendall(noise)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    state[0] = 1
    publisher.publish()
    assert publisher.wait(timeout=TIMEOUT)


class LyingPublisher:
    """Sends a good keyframe, then a delta that the test chooses, then good ones again."""

    def __init__(self, state: bytes, bad: bytes) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.hellos: list[Hello] = []
        self.failures: list[Any] = []
        self._state, self._bad = state, bad
        self.done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        digest = delta.inspect(delta.encode(self._state)).result_digest
        length = len(self._state)
        for send_bad in (True, False):
            accepted, _ = self.server.accept()
            reader = FrameReader(Limits(dict.fromkeys(Type, 1 << 20)))
            waker = Waker()
            channel = Channel(accepted, reader, waker)
            channel.queue(Hello(Role.PUBLISHER, 7))
            encoded = delta.encode(self._state)
            channel.queue(Keyframe(7, 1, length, digest, 0, length, b"null", encoded))
            if send_bad:
                channel.queue(Delta(7, 1, 7, 2, self._bad))
            try:
                while True:
                    for message in channel.pump(TIMEOUT):
                        if isinstance(message, Hello):
                            self.hellos.append(message)
                        elif isinstance(message, Bye):
                            raise PeerLost("bye")
                        elif not hasattr(message, "digest"):
                            self.failures.append(message)
                        elif not send_bad:
                            self.done.set()
            except PeerLost:
                channel.close()
                waker.close()

    def close(self) -> None:
        self._thread.join(TIMEOUT)
        self.server.close()


@pytest.mark.parametrize("kind", ["corrupt", "other base", "wrong result"])
def test_bad_delta_is_refused_reported_and_mended_by_a_keyframe(kind: str) -> None:
    state = random_state(5000).tobytes()
    good = delta.encode(bytes(5000), state)
    bad = {
        "corrupt": good[:-1] + bytes([good[-1] ^ 1]),
        "other base": delta.encode(state, bytes(5000)),
        "wrong result": b"x" * 100,
    }[kind]
    liar = LyingPublisher(state, bad)
    try:
        with Replica(liar.address) as replica:
            assert liar.done.wait(TIMEOUT)
            with replica.read() as copy:
                assert copy.tobytes() == state
            assert replica.stats.refused == 1
            # The second hello asks for everything.
            assert liar.hellos[1].epoch == 0
            assert liar.failures[0].code == 4
    finally:
        liar.close()
