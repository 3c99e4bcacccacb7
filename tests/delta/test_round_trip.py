import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import checksum, delta

from .states import CODECS, KINDS, MODES, State, pair, pairs

fixture_settings = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


def check(current: State, previous: State, encoded: bytes) -> None:
    digest = checksum.crc64nvme(current)
    assert delta.decode(encoded, previous) == current.tobytes()
    state = previous.copy()
    assert delta.apply(encoded, state) == digest
    assert (state == current).all()
    found = delta.inspect(encoded)
    assert found.base_digest == checksum.crc64nvme(previous)
    assert found.result_digest == digest
    assert found.state_length_bytes == len(current)
    assert found.wire_bytes == len(encoded)


@fixture_settings
@given(
    states=pairs,
    mode=st.sampled_from(MODES),
    codec=st.sampled_from(CODECS),
    block=st.sampled_from([4096, 8192, 1 << 20]),
)
def test_decoding_gives_the_current_state_back(
    tier: str, states: tuple[State, State], mode: str, codec: str, block: int
) -> None:
    current, previous = states
    encoded = delta.encode(current, previous, mode=mode, codec=codec, block_size=block)
    check(current, previous, encoded)


def test_every_short_length_in_every_mode_and_codec(tier: str) -> None:
    for length in range(301):
        current, previous = pair(length, KINDS[1 + length % (len(KINDS) - 1)], length)
        mode = MODES[length % len(MODES)]
        for codec in CODECS:
            check(current, previous, delta.encode(current, previous, mode=mode, codec=codec))


def test_tiers_make_equal_deltas(tier: str) -> None:
    for kind in KINDS:
        current, previous = pair(70_001, kind, 5)
        for mode in MODES:
            encoded = delta.encode(current, previous, mode=mode, block_size=4096)
            # The first example was made by another tier, or is made now for the next one.
            assert EXAMPLES.setdefault((kind, mode), encoded) == encoded


EXAMPLES: dict[tuple[str, str], bytes] = {}


@fixture_settings
@given(states=pairs, offset=st.integers(0, 64))
def test_unaligned_states(tier: str, states: tuple[State, State], offset: int) -> None:
    current, previous = states
    area = np.zeros(len(current) + offset, dtype=np.uint8)
    area[offset:] = current
    encoded = delta.encode(area[offset:], previous)
    out = np.full(len(current) + offset + 1, 0xEE, dtype=np.uint8)
    delta.decode(encoded, previous, out[offset:-1])
    assert (out[offset:-1] == current).all()
    assert out[-1] == 0xEE


@fixture_settings
@given(states=pairs, codec=st.sampled_from(CODECS))
def test_absent_previous_state_is_all_zero(
    tier: str, states: tuple[State, State], codec: str
) -> None:
    current, _ = states
    encoded = delta.encode(current, codec=codec)
    assert encoded == delta.encode(current, bytes(len(current)), codec=codec)
    assert delta.decode(encoded) == current.tobytes()


def test_forced_modes_are_used() -> None:
    current, previous = pair(70_001, "runs", 1)
    expected = {
        "raw": "raw",
        "lines-xor": "lines-xor",
        "lines-new": "lines-new",
        "runs": "runs",
    }
    for mode, record in expected.items():
        assert set(delta.inspect(delta.encode(current, previous, mode=mode)).modes) == {record}


def test_automatic_mode_is_never_larger_than_a_forced_one_by_much() -> None:
    for kind in KINDS:
        current, previous = pair(70_001, kind, 4)
        sizes = {mode: len(delta.encode(current, previous, mode=mode)) for mode in MODES}
        assert sizes["auto"] <= 1.05 * min(sizes.values()) + 16, (kind, sizes)


def test_block_that_becomes_constant_is_one_fill_record() -> None:
    current, previous = pair(1 << 20, "constant", 77)
    encoded = delta.encode(current, previous)
    assert delta.inspect(encoded).modes == {"fill": 1}
    assert len(encoded) < 64


def test_unchanged_state_is_a_header_only() -> None:
    state, _ = pair(5 << 20, "none", 1)
    encoded = delta.encode(state, state)
    assert len(encoded) == 48
    assert delta.inspect(encoded).changed_blocks == 0


def test_runs_shorter_than_any_threshold_are_kept() -> None:
    previous = np.zeros(1 << 20, dtype=np.uint8)
    current = previous.copy()
    current[::997] = 1
    encoded = delta.encode(current, previous, mode="runs")
    assert delta.decode(encoded, previous) == current.tobytes()
    assert delta.inspect(encoded).changed_bytes == np.count_nonzero(current)


def test_codec_is_kept_only_where_it_pays() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, 1 << 18, dtype=np.uint8)
    assert delta.inspect(delta.encode(noise, codec="zstd", mode="raw")).codecs == {"none": 1}
    text = np.tile(np.arange(40, dtype=np.uint8), 8000)
    for codec in ("lz4", "zstd"):
        found = delta.inspect(delta.encode(text, codec=codec, mode="raw"))
        assert found.codecs == {codec: 1}
        assert found.ratio > 20


def test_known_base_digest_gives_the_same_delta() -> None:
    current, previous = pair(70_001, "bytes", 2)
    digest = checksum.crc64nvme(previous)
    assert delta.encode(current, previous, base_digest=digest) == delta.encode(current, previous)


@pytest.mark.heavy
def test_states_beyond_four_gibibytes() -> None:
    length = (1 << 32) + 12_345
    previous = np.zeros(length, dtype=np.uint8)  # pages that nobody writes take no memory
    current = np.zeros(length, dtype=np.uint8)
    for position in (0, (1 << 32) - 1, 1 << 32, (1 << 32) + 4095, length - 1):
        current[position] = 7
    encoded = delta.encode(current)
    assert len(encoded) < 200
    digest = delta.apply(encoded, previous, base_digest=delta.inspect(encoded).base_digest)
    assert digest == delta.inspect(encoded).result_digest
    assert delta.changed_regions(current, previous).shape == (0, 2)
    assert delta.regions(encoded).tolist()[-1] == [length - 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"codec": "gzip"}, "codec must be 'none', 'lz4' or 'zstd', not 'gzip'"),
        ({"mode": "fast"}, "mode must be"),
        ({"block_size": 5000}, "block_size must be a power of two from 4096 to 16777216"),
        ({"block_size": 2048}, "block_size must be"),
        ({"block_size": 1 << 25}, "block_size must be"),
        ({"codec": "zstd", "level": 100}, "level of codec zstd must be from"),
        ({"codec": "lz4", "level": -1}, "level of codec lz4 must be from 1"),
        ({"level": 0}, "level must not be 0"),
    ],
)
def test_options_out_of_bounds_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        delta.encode(b"abc", b"abd", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        delta.Encoder(b"abc", **arguments)  # type: ignore[arg-type]


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equal lengths, not 3 and 4"):
        delta.encode(b"abc", b"abcd")
