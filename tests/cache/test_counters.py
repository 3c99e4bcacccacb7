"""Counters: one, several, and by several threads."""

import copy
import operator
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwcp.cache import PaddedCounter, PaddedCounters

MOST = 2**63 - 1
NUMBERS = st.integers(-(2**63), MOST)


def wrapped(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def by_threads(count: int, work: Callable[[int], None]) -> None:
    start = threading.Barrier(count)

    def run(place: int) -> None:
        start.wait()
        work(place)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@given(NUMBERS, st.lists(NUMBERS))
def test_it_is_a_number_of_64_bits_that_wraps_around(first: int, numbers: list[int]) -> None:
    counter, counters = PaddedCounter(first), PaddedCounters(3)
    counters[1] = first
    expected = first
    for number in numbers:
        expected = wrapped(expected + number)
        assert counter.add(number) == expected
        assert counters.add(1, number) == expected
        assert counter.get() == counter.value == int(counter) == expected
        assert list(counters) == [0, expected, 0]
        assert counters.total() == expected


def test_it_is_used_like_a_number() -> None:
    counter = PaddedCounter()
    assert counter.add() == 1
    assert counter.add(n=5) == 6
    assert "abcdefgh"[counter] == "g"  # type: ignore[call-overload]
    assert operator.index(counter) == 6
    assert repr(counter) == "PaddedCounter(6)"
    counter.set(-3)
    assert repr(counter) == "PaddedCounter(-3)"
    assert PaddedCounter(value=4).get() == 4
    with pytest.raises(AttributeError):
        counter.value = 1  # type: ignore[misc]


def test_several_are_used_like_a_sequence() -> None:
    counters = PaddedCounters(count=4)
    assert len(counters) == 4
    assert [counters.add(index) for index in (0, 1, 1, -1)] == [1, 1, 2, 1]
    assert counters.add(index=2, n=-7) == -7
    counters[-2] = 5
    assert list(counters) == [1, 2, 5, 1]
    assert counters[-1] == 1
    assert counters.total() == 9
    assert len(PaddedCounters(0)) == 0
    assert PaddedCounters(0).total() == 0


def test_sums_of_several_wrap_around() -> None:
    counters = PaddedCounters(2)
    counters[0] = counters[1] = MOST
    assert counters.total() == -2


@pytest.mark.parametrize("wrong", [2**63, -(2**63) - 1, 2**200])
def test_numbers_of_more_bits_are_refused(wrong: int) -> None:
    counter, counters = PaddedCounter(3), PaddedCounters(1)
    with pytest.raises(OverflowError, match=r"value must be -2\^63..2\^63-1"):
        PaddedCounter(wrong)
    with pytest.raises(OverflowError, match="n must be"):
        counter.add(wrong)
    with pytest.raises(OverflowError, match="value must be"):
        counter.set(wrong)
    with pytest.raises(OverflowError, match="n must be"):
        counters.add(0, wrong)
    with pytest.raises(OverflowError, match="value must be"):
        counters[0] = wrong
    assert (counter.get(), counters[0]) == (3, 0)


@pytest.mark.parametrize("wrong", [1.5, "1", None, b"1"])
def test_what_is_no_number_is_refused(wrong: Any) -> None:
    counter, counters = PaddedCounter(3), PaddedCounters(1)
    with pytest.raises(TypeError, match="value must be an int"):
        PaddedCounter(wrong)
    with pytest.raises(TypeError, match="n must be an int"):
        counter.add(wrong)
    with pytest.raises(TypeError, match="value must be an int"):
        counter.set(wrong)
    with pytest.raises(TypeError, match="index must be an int"):
        counters.add(wrong)
    with pytest.raises(TypeError, match="count must be an int"):
        PaddedCounters(wrong)
    assert (counter.get(), counters[0]) == (3, 0)


def test_indexes_and_counts_out_of_bounds_are_refused() -> None:
    counters = PaddedCounters(3)
    for index in (3, -4, MOST, -(2**63)):
        with pytest.raises(IndexError, match="less than 3"):
            counters.add(index)
        with pytest.raises(IndexError):
            counters[index]
        with pytest.raises(IndexError):
            counters[index] = 1
    with pytest.raises(TypeError, match="cannot be deleted"):
        del counters[0]  # type: ignore[attr-defined]
    for count in (-1, 2**32 + 1, 2**70):
        with pytest.raises(ValueError, match=r"count must be 0\.\.4294967296"):
            PaddedCounters(count)
    with pytest.raises(TypeError, match="add takes at most 1"):
        PaddedCounter().add(1, 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="add needs the argument index"):
        counters.add()  # type: ignore[call-arg]


def test_they_are_not_copied_by_mistake() -> None:
    for counter in (PaddedCounter(), PaddedCounters(2)):
        with pytest.raises(TypeError, match="cannot pickle"):
            copy.copy(counter)


def test_nothing_that_threads_add_gets_lost() -> None:
    count = 20_000
    shared, own = PaddedCounter(), PaddedCounters(4)
    sums: list[list[int]] = [[] for _ in range(4)]

    def work(place: int) -> None:
        add, add_to, note = shared.add, own.add, sums[place].append
        for _ in range(count):
            note(add(1))
            add_to(place, 2)
            add_to(0, 1)

    by_threads(4, work)
    assert shared.get() == 4 * count
    # Each sum was seen by one call, and rising in each thread.
    assert sorted(number for seen in sums for number in seen) == list(range(1, 4 * count + 1))
    assert all(seen == sorted(seen) for seen in sums)
    assert list(own) == [2 * count + 4 * count, *[2 * count] * 3]


def test_reading_and_setting_while_others_add_is_whole() -> None:
    # Both halves of each number are the same: one that is read in two parts would be another.
    counter = PaddedCounter()
    step = (1 << 32) + 1

    def work(place: int) -> None:
        for number in range(20_000):
            if place == 0:
                counter.set(number % 7 * step)
            elif place == 1:
                counter.add(step)
            else:
                assert counter.get() % step == 0

    by_threads(3, work)
    assert counter.get() % step == 0
