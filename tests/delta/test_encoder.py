import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import SourceChanged, checksum, delta

from .states import CODECS, KINDS, MODES, State, pair, pairs

fixture_settings = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


@fixture_settings
@given(states=pairs, mode=st.sampled_from(MODES), codec=st.sampled_from(CODECS))
def test_encoder_follows_a_state_and_keeps_its_digest(
    tier: str, states: tuple[State, State], mode: str, codec: str
) -> None:
    second, first = states
    encoder = delta.Encoder(first, mode=mode, codec=codec, block_size=8192)
    replica = first.copy()
    decoder = delta.Decoder(replica)
    for state in (second, second, first, np.zeros_like(first), second):
        before = bytes(encoder.state)
        encoded = encoder.encode(state)
        differs = np.frombuffer(before, dtype=np.uint8) != state
        assert encoder.changed_bytes == np.count_nonzero(differs)
        assert encoder.changed_lines == len(np.unique(np.flatnonzero(differs) // 64))
        assert bytes(encoder.state) == state.tobytes()
        assert encoder.digest == checksum.crc64nvme(state)
        assert decoder.apply(encoded) == encoder.digest
        assert (replica == state).all()
        assert decoder.verify()


def test_encoder_and_one_shot_encode_agree(tier: str) -> None:
    for kind in KINDS:
        current, previous = pair(70_001, kind, 8)
        for mode in MODES:
            encoder = delta.Encoder(previous, mode=mode, block_size=4096)
            expected = delta.encode(current, previous, mode=mode, block_size=4096)
            assert encoder.encode(current) == expected


@fixture_settings
@given(
    sizes=st.lists(st.integers(0, 9000), max_size=6),
    gaps=st.lists(st.integers(0, 5000), min_size=6),
)
def test_parts_are_laid_out_at_their_offsets(sizes: list[int], gaps: list[int]) -> None:
    parts = [pair(size, "none", i)[0] for i, size in enumerate(sizes)]
    offsets, end = [], 0
    for part, gap in zip(parts, gaps, strict=False):
        offsets.append(end + gap)
        end += gap + len(part)
    expected = np.zeros(end, dtype=np.uint8)
    for part, offset in zip(parts, offsets, strict=True):
        expected[offset : offset + len(part)] = part
    encoder = delta.Encoder(parts, offsets=offsets, block_size=4096)
    assert bytes(encoder.state) == expected.tobytes()
    for part in parts:
        part[::7] ^= 3
    replica = expected.copy()
    delta.apply(encoder.encode(parts), replica)
    assert bytes(encoder.state) == replica.tobytes()
    for part, offset in zip(parts, offsets, strict=True):
        assert (replica[offset : offset + len(part)] == part).all()


def test_parts_without_offsets_start_at_multiples_of_64() -> None:
    encoder = delta.Encoder([b"a" * 65, b"", b"b"])
    assert bytes(encoder.state) == b"a" * 65 + bytes(63) + b"b"
    assert encoder.state_length_bytes == 129


def test_empty_state_is_allowed() -> None:
    encoder = delta.Encoder(b"")
    encoded = encoder.encode(b"")
    assert delta.decode(encoded, b"") == b""
    assert delta.Encoder([]).encode([]) == encoded


def test_other_layouts_are_refused() -> None:
    encoder = delta.Encoder([b"abc", b"de"])
    for other in ([b"abc"], [b"abc", b"d"], b"abcde", [b"abc", b"de", b""]):
        with pytest.raises(ValueError, match="current: the parts of the state must have"):
            encoder.encode(other)
    with pytest.raises(ValueError, match="offsets: the parts of a state must be ascending"):
        delta.Encoder([b"abc", b"de"], offsets=[0, 2])
    with pytest.raises(ValueError, match="offsets must have one entry for each buffer"):
        delta.Encoder([b"abc", b"de"], offsets=[0])
    with pytest.raises(TypeError, match="initial must be a buffer or a sequence of buffers"):
        delta.Encoder(5)  # type: ignore[arg-type]


def test_state_is_a_read_only_view_that_outlives_the_encoder() -> None:
    view = delta.Encoder(b"hello").state
    assert view.readonly
    assert view == b"hello"


@pytest.mark.heavy
def test_writers_during_encode_never_make_a_wrong_delta() -> None:
    # The state is scribbled over while it is encoded: every delta must still lead from the
    # previous copy to the new one exactly.
    state = np.zeros(1 << 20, dtype=np.uint8)
    encoder = delta.Encoder(state, codec="lz4")
    replica = state.copy()
    decoder = delta.Decoder(replica)
    stop = threading.Event()

    def scribble() -> None:
        rng = np.random.default_rng(0)
        while not stop.is_set():
            start = int(rng.integers(0, len(state) - 5000))
            state[start : start + 5000] = rng.integers(0, 256, dtype=np.uint8)

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        for _ in range(200):
            decoder.apply(encoder.encode(state))
            assert bytes(encoder.state) == replica.tobytes()
    finally:
        stop.set()
        thread.join()
    assert decoder.verify()


def test_calls_from_several_threads_are_serialised() -> None:
    states = [pair(200_000, kind, 3)[0] for kind in KINDS]
    encoder = delta.Encoder(states[0])
    deltas: list[bytes] = []
    lock = threading.Lock()

    def work(mine: list[State]) -> None:
        for state in mine * 5:
            encoded = encoder.encode(state)
            with lock:
                deltas.append(encoded)

    threads = [threading.Thread(target=work, args=(states[i::3],)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whatever the order was, the deltas form one chain.
    by_base: dict[int, list[bytes]] = {}
    for encoded in deltas:
        by_base.setdefault(delta.inspect(encoded).base_digest, []).append(encoded)
    assert sum(len(chain) for chain in by_base.values()) == len(deltas)
    assert encoder.digest == checksum.crc64nvme(encoder.state)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "state.bin"
    path.write_bytes(pair(3_000_001, "none", 1)[0].tobytes())
    return path


def test_files_are_followed(tier: str, source: Path) -> None:
    fd = os.open(source, os.O_RDWR)
    try:
        encoder = delta.Encoder.from_file(fd)
        replica = bytearray(source.read_bytes())
        for position in (0, 1_500_000, 3_000_000):
            os.pwrite(fd, b"!", position)
            delta.apply(encoder.encode_file(fd), replica)
            assert replica == source.read_bytes()
            assert encoder.digest == checksum.crc64nvme(replica)
            assert bytes(encoder.state) == replica
    finally:
        os.close(fd)


@pytest.mark.parametrize("length", [0, 1000, 4_000_000])
def test_resized_file_is_refused_and_the_encoder_goes_on(source: Path, length: int) -> None:
    original = source.read_bytes()
    fd = os.open(source, os.O_RDWR)
    try:
        encoder = delta.Encoder.from_file(fd)
        os.truncate(source, length)
        with pytest.raises(SourceChanged, match=f"the file has {length} bytes"):
            encoder.encode_file(fd)
        os.truncate(source, 0)
        os.pwrite(fd, original[:-1] + b"!", 0)
        replica = bytearray(original)
        delta.apply(encoder.encode_file(fd), replica)
        assert replica == original[:-1] + b"!"
    finally:
        os.close(fd)


def test_file_that_is_written_while_it_is_read_is_refused(source: Path) -> None:
    fd = os.open(source, os.O_RDWR)
    stop = threading.Event()

    def write() -> None:
        value = 0
        while not stop.is_set():
            value = (value + 1) % 256
            os.pwrite(fd, bytes([value]), 100)

    encoder = delta.Encoder.from_file(fd)
    digest = encoder.digest
    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(1000):
            try:
                encoder.encode_file(fd)
            except SourceChanged:
                break
        else:
            pytest.fail("a file under constant writing was never noticed")
        assert encoder.digest in (digest, checksum.crc64nvme(encoder.state))
    finally:
        stop.set()
        thread.join()
        os.close(fd)


def test_descriptors_that_are_no_files_keep_errno() -> None:
    with pytest.raises(OSError, match="fstat") as caught:
        delta.Encoder.from_file(-1)
    assert caught.value.errno == 9
    read_end, write_end = os.pipe()
    try:
        with pytest.raises(OSError, match="a state is a regular file"):
            delta.Encoder.from_file(read_end)
    finally:
        os.close(read_end)
        os.close(write_end)


@pytest.mark.heavy
def test_write_in_flight_never_makes_a_torn_state(tmp_path: Path) -> None:
    # A write of several MiB stamps the file when it begins and takes longer than reading starts:
    # each state that is taken must be one value throughout.
    length = 4 << 20
    fd = os.open(tmp_path / "state", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, bytes(length), 0)
    stop = threading.Event()

    def write() -> None:
        value = 0
        while not stop.is_set():
            value = (value + 1) % 256
            os.pwrite(fd, bytes([value]) * length, 0)

    thread = threading.Thread(target=write)
    encoder = delta.Encoder.from_file(fd)
    thread.start()
    try:
        for _ in range(200):
            try:
                encoder.encode_file(fd)
            except SourceChanged:
                continue
            state = np.frombuffer(encoder.state, dtype=np.uint8)
            assert (state == state[0]).all()
    finally:
        stop.set()
        thread.join()
        os.close(fd)
