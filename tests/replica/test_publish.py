"""Publisher and replica together, over loopback."""

import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwcp import Closed, Error, PeerLost, delta
from dwcp.replica import Publisher, Replica
from dwcp.replica.frames import Delta, Hello, Keyframe
from dwcp.replica.protocol import Position, ReplicaProtocol
from dwcp.replica.transport import Channel, Waker, is_loopback, parse_address

from .conftest import TIMEOUT

Publish = Callable[..., tuple[Publisher, str]]
Follow = Callable[..., Replica]


def random_state(length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("length", [0, 1, 63, 4096, 9_000_001])
def test_buffer_arrives_and_follows(
    publish: Publish, follow: Follow, length: int, codec: str
) -> None:
    state = random_state(length)
    publisher, address = publish(state, codec=codec)
    replica = follow(address)
    assert replica.wait(timeout=TIMEOUT) == 1
    for step in range(5):
        if length:
            state[(step * 977) % length :: 5000] += 1
        result = publisher.publish()
        assert result.sequence == (step + 2 if length else 1)
        assert publisher.wait(timeout=TIMEOUT)
        with replica.read() as copy:
            assert (copy == state).all()
            assert not copy.flags.writeable
        assert replica.digest == publisher.digest
    assert replica.verify()
    assert replica.stats.keyframes == 1


@pytest.mark.parametrize("named", [False, True])
def test_a_publisher_that_tracks_pages_sends_what_was_written(
    publish: Publish, follow: Follow, named: bool
) -> None:
    big, small = random_state(3_000_001), random_state(1000)
    publisher, address = publish({"big": big, "small": small} if named else big, track=True)
    assert publisher.tracker is not None
    replica = follow(address)
    assert replica.wait(timeout=TIMEOUT) == 1
    for step in range(4):
        big[step * 500_000 :: 700_000] += 1
        small[step] += 1
        publisher.publish()
        assert publisher.wait(timeout=TIMEOUT)
        with replica.read() as copy:
            assert (copy["big"] == big).all() if named else (copy == big).all()
            assert not named or (copy["small"] == small).all()
    # Nothing was written, and nothing but edges is looked at.
    sequence = publisher.sequence
    assert publisher.publish().sequence == sequence
    publisher.close()
    with pytest.raises(Closed):
        publisher.tracker.collect()


def test_a_publisher_tracks_no_pages_unless_it_is_told_to(publish: Publish) -> None:
    publisher, _ = publish(random_state(5000))
    assert publisher.tracker is None


def test_arrays_arrive_by_name(publish: Publish, follow: Follow) -> None:
    w, b = np.zeros((100, 30), dtype=np.float32), bytearray(b"bytes")
    publisher, address = publish({"w": w, "b": b})
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    w[3] += 1.5
    b[0] = 66
    result = publisher.publish()
    assert 0 < result.changed_bytes <= 30 * 4 + 1
    assert result.wire_bytes < 500
    assert replica.wait(result.sequence, timeout=TIMEOUT) == 2
    with replica.read() as state:
        assert list(state) == ["w", "b"]
        assert (state["w"] == w).all()
        assert state["w"].dtype == np.float32
        assert state["b"].tobytes() == b"Bytes"


def test_unchanged_state_takes_no_sequence(publish: Publish) -> None:
    publisher, _ = publish(bytearray(100))
    result = publisher.publish()
    assert (result.sequence, result.changed_bytes, result.wire_bytes) == (1, 0, 0)


def test_several_replicas_are_kept_up_to_date(publish: Publish, follow: Follow) -> None:
    state = random_state(300_000)
    publisher, address = publish(state)
    replicas = [follow(address) for _ in range(4)]
    for replica in replicas:
        replica.wait(timeout=TIMEOUT)
    for _ in range(10):
        state[::1000] += 1
        publisher.publish()
    assert publisher.wait(timeout=TIMEOUT, replicas=4)
    assert len(publisher.connections) == 4
    for replica in replicas:
        with replica.read() as copy:
            assert (copy == state).all()


def test_sparse_states_travel_light(publish: Publish, follow: Follow) -> None:
    state = np.zeros(200 << 20, dtype=np.uint8)
    state[123_456_789] = 1
    publisher, address = publish(state)
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    assert publisher.connections[0].sent_bytes < 20_000
    with replica.read() as copy:
        assert np.flatnonzero(copy[123_000_000:124_000_000]).tolist() == [456_789]


def cut(publisher: Publisher) -> None:
    """Break every connection, as a network would."""
    for connection in list(publisher._connections):
        connection._accepted.shutdown(socket.SHUT_RDWR)


def test_lost_connection_resumes_by_delta(publish: Publish, follow: Follow) -> None:
    state = random_state(100_000)
    publisher, address = publish(state)
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    for round_number in range(5):
        cut(publisher)
        for _ in range(3):
            state[round_number::777] += 1
            sequence = publisher.publish().sequence
        assert replica.wait(sequence, timeout=TIMEOUT) == sequence
        with replica.read() as copy:
            assert (copy == state).all()
    assert replica.stats.keyframes == 1
    assert replica.stats.connects >= 2


def test_replica_beyond_the_history_gets_a_keyframe(publish: Publish, follow: Follow) -> None:
    state = random_state(100_000)
    publisher, address = publish(state, history_bytes=0)
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    replica.close()
    for _ in range(3):
        state[:] += 1
        publisher.publish()
    with Replica(address) as late:
        late.wait(publisher.sequence, timeout=TIMEOUT)
        assert late.stats.keyframes == 1


class RawReplica:
    """Speaks the protocol and does only what it is told."""

    def __init__(self, address: str, have: Position | None = None) -> None:
        host, port = parse_address(address)
        self.protocol = ReplicaProtocol(have, b"", 1 << 30)
        self.waker = Waker()
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        self.channel = Channel(self.socket, self.protocol.reader, self.waker)
        self.channel.queue(self.protocol.hello())

    def receive(self, count: int = 0) -> list[Any]:
        """What arrives; at least `count` messages, if they arrive in time."""
        deadline = time.monotonic() + TIMEOUT
        received: list[Any] = []
        while True:
            left = max(0.0, deadline - time.monotonic())
            received += [self.protocol.receive(message) for message in self.channel.pump(left)]
            if len(received) >= count or left == 0:
                return received

    def acknowledge(self, message: Keyframe | Delta) -> None:
        if isinstance(message, Keyframe):
            digest = message.digest
        else:
            digest = delta.inspect(message.delta).result_digest
        position = Position(message.epoch, message.sequence, digest, 8 << 20, 0)
        self.channel.queue(self.protocol.reached(position))

    def close(self) -> None:
        self.channel.close()
        self.waker.close()


@pytest.mark.heavy
def test_replica_that_does_not_read_holds_up_nobody(publish: Publish, follow: Follow) -> None:
    state = random_state(8 << 20)
    publisher, address = publish(state)
    stuck = RawReplica(address)
    stuck.channel._send()
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    for _ in range(30):
        state[::10] += 1
        sequence = publisher.publish().sequence
        assert replica.wait(sequence, timeout=TIMEOUT) == sequence
    # Once it reads, it gets the first keyframe and then the latest state, not the thirty between.
    sequences: list[int] = []
    while sequence not in sequences:
        for message in stuck.receive():
            if isinstance(message, Delta) or (isinstance(message, Keyframe) and message.is_last):
                sequences.append(message.sequence)
                stuck.acknowledge(message)
    assert len(sequences) <= 5
    stuck.close()


def test_readers_never_see_a_half_applied_state(publish: Publish, follow: Follow) -> None:
    state = np.zeros(2_000_000, dtype=np.uint8)
    publisher, address = publish(state)
    replica = follow(address)
    replica.wait(timeout=TIMEOUT)
    stop = threading.Event()
    torn: list[int] = []
    seen: set[int] = set()

    def read() -> None:
        while not stop.is_set():
            with replica.read() as copy:
                first = int(copy[0])
                seen.add(first)
                if not (copy[::4096] == first).all() or copy[-1] != first:
                    torn.append(first)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for value in range(1, 60):
            state[:] = value
            publisher.publish()
            assert publisher.wait(timeout=TIMEOUT)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert torn == []
    assert len(seen) > 3


def test_other_publisher_with_the_same_state_needs_no_keyframe(
    publish: Publish, tmp_path: Path
) -> None:
    state = random_state(50_000)
    _, address = publish(state)
    with Replica(address, path=tmp_path / "copy") as replica:
        replica.wait(timeout=TIMEOUT)
    publisher, other = publish(state.copy())
    with Replica(other, path=tmp_path / "copy") as replica:
        assert publisher.wait(timeout=TIMEOUT)
        assert replica.epoch == publisher.epoch
        assert replica.stats.keyframes == 0


def test_restarted_publisher_with_another_state_sends_a_keyframe(
    publish: Publish, tmp_path: Path
) -> None:
    _, address = publish(random_state(50_000))
    with Replica(address, path=tmp_path / "copy") as replica:
        replica.wait(timeout=TIMEOUT)
    publisher, other = publish(random_state(50_001))
    with Replica(other, path=tmp_path / "copy") as replica:
        assert publisher.wait(timeout=TIMEOUT)
        assert replica.stats.keyframes == 1
        assert replica.state_length_bytes == 50_001


def test_same_bytes_in_other_arrays_are_another_state(publish: Publish, tmp_path: Path) -> None:
    _, address = publish({"w": np.zeros(16, dtype=np.float32)})
    with Replica(address, path=tmp_path / "copy") as replica:
        replica.wait(timeout=TIMEOUT)
    publisher, other = publish({"n": np.zeros((4, 4), dtype=np.int32)})
    with Replica(other, path=tmp_path / "copy") as replica:
        assert publisher.wait(timeout=TIMEOUT)
        with replica.read() as state:
            assert [(name, a.dtype, a.shape) for name, a in state.items()] == [
                ("n", np.int32, (4, 4))
            ]
        assert replica.stats.keyframes == 1


def test_any_state_in_the_history_is_continued_and_no_other(publish: Publish) -> None:
    state = bytearray(1000)
    publisher, _ = publish(state)
    past = [(publisher.head, bytes(state))]
    for step in range(1, 6):
        state[step * 7] = step
        publisher.publish()
        past.append((publisher.head, bytes(state)))
    for have, content in past[:-1]:
        found = publisher.delta_from(have)
        assert found is not None
        assert delta.decode(found[1].delta, content) == state
        assert publisher.delta_from(replace(have, digest=have.digest ^ 1)) is None
        assert publisher.delta_from(replace(have, schema_digest=1)) is None
    for sequence in (0, publisher.sequence + 1, 1 << 60):
        assert publisher.delta_from(replace(publisher.head, sequence=sequence)) is None


def test_replica_with_other_bytes_under_the_newest_number_gets_a_keyframe(
    publish: Publish,
) -> None:
    publisher, address = publish(b"state")
    head = publisher.head
    liar = RawReplica(address, have=replace(head, digest=head.digest ^ 1))
    received = liar.receive(2)
    liar.close()
    assert [type(message) for message in received] == [Hello, Keyframe]


def test_token_is_needed_where_one_is_set(publish: Publish, follow: Follow) -> None:
    _, address = publish(b"secret state", token="right")
    assert follow(address, token="right").wait(timeout=TIMEOUT) == 1
    for token in (None, "wrong", "right!"):
        replica = follow(address, token=token)
        with pytest.raises(Error, match="the token is not the right one"):
            replica.wait(timeout=TIMEOUT)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate of its own, and of a client that trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dwcp test")])
    now = datetime.now(timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))


def test_tls_carries_large_states(publish: Publish, follow: Follow, tmp_path: Path) -> None:
    server, client = certificate(tmp_path)
    state = random_state(6 << 20)
    publisher, address = publish(state, listen={"ssl_context": server})
    replica = follow(address, ssl_context=client)
    replica.wait(timeout=TIMEOUT)
    state[:] += 1
    publisher.publish()
    assert publisher.wait(timeout=TIMEOUT)
    with replica.read() as copy:
        assert (copy == state).all()


def test_untrusted_certificate_stops_the_replica(
    publish: Publish, follow: Follow, tmp_path: Path
) -> None:
    server, _ = certificate(tmp_path)
    _, address = publish(b"state", listen={"ssl_context": server})
    with pytest.raises(Error, match="certificate is not trusted"):
        follow(address, ssl_context=ssl.create_default_context()).wait(timeout=TIMEOUT)


def test_listening_beyond_loopback_needs_tls_or_consent() -> None:
    with Publisher(b"x") as publisher:
        for address in ("0.0.0.0:0", "[::]:0"):
            with pytest.raises(ValueError, match="give an ssl_context, or insecure=True"):
                publisher.listen(address)
        assert publisher.listen("0.0.0.0:0", insecure=True)[1] > 0
    assert is_loopback("127.0.0.53")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("example.org")


def test_port_in_use_keeps_errno() -> None:
    with Publisher(b"x") as first, Publisher(b"x") as second:
        host, port = first.listen("127.0.0.1:0")
        with pytest.raises(OSError, match="is another publisher running") as caught:
            second.listen(f"{host}:{port}")
        assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("address", ["", "7700", "host", "host:x", "host:70000", "::1:7700", ":1"])
def test_malformed_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        parse_address(address)


def test_addresses_in_all_their_forms() -> None:
    assert parse_address("tcp://host:1") == ("host", 1)
    assert parse_address("[::1]:7700") == ("::1", 7700)
    assert parse_address("127.0.0.1:65535") == ("127.0.0.1", 65535)


def test_absent_publisher_is_named_in_the_timeout(follow: Follow) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    replica = follow(address)
    with pytest.raises(TimeoutError, match=r"no such state within 0\.3 seconds"):
        replica.wait(timeout=0.3)
    assert isinstance(replica.error, PeerLost)
    with pytest.raises(Error, match="no state yet"), replica.read():
        pass


def test_replica_outlives_its_publisher_and_finds_the_next(follow: Follow) -> None:
    state = random_state(10_000)
    with Publisher(state) as publisher:
        host, port = publisher.listen()
        replica = follow(f"{host}:{port}")
        replica.wait(timeout=TIMEOUT)
    with replica.read() as copy:
        assert (copy == state).all()
    with Publisher(state[:500].copy()) as publisher:
        publisher.listen(f"{host}:{port}")
        assert publisher.wait(timeout=TIMEOUT)
        assert replica.state_length_bytes == 500


def test_closed_objects_say_so() -> None:
    publisher = Publisher(b"x")
    host, port = publisher.listen()
    replica = Replica(f"{host}:{port}")
    replica.wait(timeout=TIMEOUT)
    replica.close()
    replica.close()
    publisher.close()
    publisher.close()
    with pytest.raises(Closed):
        replica.wait(timeout=0)
    with pytest.raises(Closed):
        publisher.publish()
    with pytest.raises(Closed):
        publisher.wait(timeout=0)
    with pytest.raises(Closed):
        publisher.listen()


def test_replica_closes_at_once_while_it_cannot_connect() -> None:
    replica = Replica("127.0.0.1:1")
    start = time.monotonic()
    replica.close()
    assert time.monotonic() - start < TIMEOUT
