import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import CorruptDelta, WrongBase, delta

from .states import CODECS, KINDS, MODES, State, lengths, pair


def chain(length: int, kinds: list[str], mode: str) -> tuple[State, list[bytes], State]:
    state, _ = pair(length, "none", 1)
    first = state.copy()
    deltas = []
    for i, kind in enumerate(kinds):
        change = pair(length, kind, i)
        following = state ^ change[0] ^ change[1]
        deltas.append(delta.encode(following, state, mode=mode, block_size=4096))
        state = following
    return first, deltas, state


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    length=lengths,
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    mode=st.sampled_from(MODES),
    codec=st.sampled_from(CODECS),
)
def test_composed_delta_has_the_effect_of_all(
    tier: str, length: int, kinds: list[str], mode: str, codec: str
) -> None:
    first, deltas, last = chain(length, kinds, mode)
    composed = delta.compose(deltas, last, codec=codec)
    assert delta.decode(composed, first) == last.tobytes()


def test_overwritten_values_are_not_sent() -> None:
    first, deltas, last = chain(100_000, ["head"] * 20, "auto")
    assert len(delta.compose(deltas, last)) < 200
    assert delta.decode(delta.compose(deltas, last), first) == last.tobytes()


def test_deltas_that_do_not_follow_each_other_are_refused() -> None:
    _, deltas, last = chain(5000, ["runs", "bytes", "lines"], "auto")
    with pytest.raises(WrongBase, match="delta 1 does not continue the one before it"):
        delta.compose([deltas[0], deltas[2]], last)
    with pytest.raises(WrongBase, match="delta 0 is for a state of 5000 bytes, not 4999"):
        delta.compose(deltas, last[:-1])
    with pytest.raises(ValueError, match="at least one"):
        delta.compose([], last)
    with pytest.raises(CorruptDelta):
        delta.compose([deltas[0][:-1]], last)


@settings(deadline=None)
@given(length=lengths, kind=st.sampled_from(KINDS), mode=st.sampled_from(MODES))
def test_regions_cover_every_byte_that_changes(length: int, kind: str, mode: str) -> None:
    current, previous = pair(length, kind, 3)
    encoded = delta.encode(current, previous, mode=mode, block_size=4096)
    covered = np.zeros(length, dtype=bool)
    end = -1
    for offset, count in delta.regions(encoded).tolist():
        assert offset > end
        assert count > 0
        end = offset + count
        covered[offset:end] = True
    assert covered[current != previous].all()
    merged = delta.regions(encoded, merge_gap=1 << 40)
    assert len(merged) <= 1
