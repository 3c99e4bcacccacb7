import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import delta


def reference(current: np.ndarray, previous: np.ndarray, merge_gap: int) -> list[list[int]]:
    found: list[list[int]] = []
    for position in np.flatnonzero(current != previous).tolist():
        if found and (position - (found[-1][0] + found[-1][1])) < max(merge_gap, 1):
            found[-1][1] = position - found[-1][0] + 1
        else:
            found.append([position, 1])
    return found


def changed(length: int, positions: list[int]) -> tuple[np.ndarray, np.ndarray]:
    previous = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    current = previous.copy()
    for position in positions:
        current[position] ^= 0x55
    return current, previous


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(data=st.data())
def test_regions_agree_with_a_byte_by_byte_reference(tier: str, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, 9000))
    positions = data.draw(st.lists(st.integers(0, length - 1), max_size=60)) if length else []
    merge_gap = data.draw(st.sampled_from([0, 1, 2, 4, 64, 1000]))
    current, previous = changed(length, sorted(set(positions)))
    assert delta.changed_regions(current, previous, merge_gap).tolist() == reference(
        current, previous, merge_gap
    )


def test_every_single_byte_is_found(tier: str) -> None:
    for length in (1, 63, 64, 65, 300, 4096, 4097):
        for position in range(0, length, 1 if length <= 300 else 61):
            current, previous = changed(length, [position])
            assert delta.changed_regions(current, previous).tolist() == [[position, 1]]


def test_more_than_256_regions_are_all_reported(tier: str) -> None:
    current, previous = changed(100_000, list(range(0, 100_000, 100)))
    found = delta.changed_regions(current, previous)
    assert found.shape == (1000, 2)
    assert found.dtype == np.uint64


def test_equal_buffers_have_no_regions() -> None:
    found = delta.changed_regions(bytes(5000), bytes(5000))
    assert found.shape == (0, 2)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equal lengths, not 1 and 2"):
        delta.changed_regions(b"a", b"ab")


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 4095, 4096, 4097, 200_001])
def test_update_writes_changed_lines_and_counts_them(tier: str, length: int) -> None:
    current, previous = changed(length, sorted({0, length // 2, length - 1}) if length else [])
    lines = len({int(p) // 64 for p in np.flatnonzero(current != previous)})
    assert delta.update(previous, current) == lines
    assert (previous == current).all()
    assert delta.update(previous, current) == 0
    assert delta.xor(b"", b"") == b""


def test_update_refuses_unequal_lengths_and_read_only_buffers() -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        delta.update(bytearray(3), b"ab")
    with pytest.raises(BufferError, match="previous must be a writable"):
        delta.update(b"ab", b"ab")
