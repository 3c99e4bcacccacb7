import json
import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import checksum, isa
from dwcp.checksum import chunks

VECTORS = Path(__file__).parents[1] / "vectors" / "chunks-v1.json"
MASK32, MASK64 = (1 << 32) - 1, (1 << 64) - 1


def gear_table() -> list[int]:
    """docs/chunks.md: sums of two of 32 numbers of splitmix64."""
    state = int.from_bytes(b"dwcpgear", "little")
    numbers = []
    for _ in range(32):
        state = (state + 0x9E3779B97F4A7C15) & MASK64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
        numbers.append((z ^ (z >> 31)) >> 32)
    return [(numbers[byte & 15] + numbers[16 + (byte >> 4)]) & MASK32 for byte in range(256)]


TABLE = gear_table()


def reference(data: bytes, least: int, avg: int, most: int) -> list[list[int]]:
    """Chunks by the definition alone."""
    hashes, value = [], 0
    for byte in data:
        value = (2 * value + TABLE[byte]) & MASK32
        hashes.append(value)
    strict, loose = (1 << 32) // (4 * avg), (1 << 34) // avg
    found, start = [], 0
    while start < len(data):
        length = min(most, len(data) - start)
        for candidate in range(least, length):
            bound = strict if candidate < avg else loose
            if hashes[start + candidate - 1] < bound:
                length = candidate
                break
        found.append([start, length])
        start += length
    return found


def random_bytes(length: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, length, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("sizes", [(64, 64, 64), (64, 128, 1000), (100, 777, 5000), (64, 256, 300)])
def test_chunks_are_those_of_the_definition(tier: str, sizes: tuple[int, int, int]) -> None:
    data = random_bytes(70_000, seed=sizes[1])
    assert chunks(data, *sizes).tolist() == reference(data, *sizes)


def test_every_short_length_and_alignment(tier: str) -> None:
    data = random_bytes(1500)
    view = memoryview(data)
    for length in [*range(0, 300), 1000, 1087, 1088, 1089]:
        part = view[length % 33 : length % 33 + length]
        assert chunks(part, 64, 100, 400).tolist() == reference(bytes(part), 64, 100, 400)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    blocks=st.lists(st.binary(min_size=1, max_size=40), max_size=40),
    repeat=st.integers(1, 30),
    least=st.integers(64, 200),
    more=st.integers(0, 300),
    most=st.integers(0, 2000),
)
def test_repetitive_data_too(
    tier: str, blocks: list[bytes], repeat: int, least: int, more: int, most: int
) -> None:
    data = b"".join(blocks) * repeat
    sizes = (least, least + more, least + more + most)
    assert chunks(data, *sizes).tolist() == reference(data, *sizes)


def test_no_read_outside_the_buffer(tier: str, guarded_page: memoryview) -> None:
    guarded_page[:] = random_bytes(len(guarded_page))
    for length in (1, 63, 64, 65, 200, 1000, len(guarded_page)):
        for part in (guarded_page[:length], guarded_page[len(guarded_page) - length :]):
            assert chunks(part, 64, 128, 512).tolist() == reference(bytes(part), 64, 128, 512)
            part.release()


def test_known_answer(tier: str) -> None:
    vector = json.loads(VECTORS.read_text())
    data = bytes(i * i * 31 % 251 for i in range(vector["length"]))
    assert chunks(data, *vector["sizes"]).tolist() == vector["chunks"]


def test_an_insertion_moves_only_the_boundaries_around_it() -> None:
    data = random_bytes(1 << 20, seed=3)
    before = {data[at : at + n] for at, n in chunks(data).tolist()}
    changed = data[:500_000] + b"inserted" + data[500_000:]
    after = {changed[at : at + n] for at, n in chunks(changed).tolist()}
    assert len(after - before) <= 4
    assert len(before) > 80


def test_lengths_are_near_the_average_and_within_bounds() -> None:
    for avg in (1024, 8192):
        lengths = chunks(random_bytes(8 << 20), avg // 4, avg, avg * 8)[:, 1]
        assert 0.9 * avg < lengths.mean() < 1.5 * avg
        assert lengths[:-1].min() >= avg // 4
        assert lengths.max() <= avg * 8


def test_data_without_content_are_cut_at_the_maximum() -> None:
    assert set(chunks(bytes(1 << 20))[:-1, 1].tolist()) == {65536}


def test_empty_data_have_no_chunks_and_short_data_one() -> None:
    assert chunks(b"").shape == (0, 2)
    assert chunks(b"x").tolist() == [[0, 1]]
    assert chunks(np.zeros(10, dtype=np.float64)).tolist() == [[0, 80]]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((63, 100, 200), "min must be at least 64 bytes, not 63"),
        ((-1, 100, 200), "min must not be negative"),
        ((128, 127, 200), "avg must be at least min, not 127"),
        ((64, 201, 200), "avg must be at most max, not 201"),
        ((64, 100, (1 << 28) + 1), "max must be at most 268435456 bytes"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chunks(b"data", *sizes)


def test_wrong_arguments_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        chunks("text")  # type: ignore[arg-type]
    with pytest.raises(BufferError, match="data must be a C-contiguous buffer"):
        chunks(np.zeros((4, 4))[:, ::2])


@pytest.mark.heavy
def test_offsets_beyond_4_gib() -> None:
    with isa.force(isa.available()[-1]), mmap.mmap(-1, (4 << 30) + 5000) as area:
        # Pages that nobody wrote to are one page of zeros; some content at the far end.
        tail = random_bytes(4000)
        area[-4000:] = tail
        found = checksum.chunks(area, 64, 256, 1 << 28)
    assert found[:, 1].sum() == (4 << 30) + 5000
    assert found[-1].sum() == (4 << 30) + 5000
    assert (np.diff(found[:, 0].astype(np.int64)) > 0).all()
    assert len(found) > 20
