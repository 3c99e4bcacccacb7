"""What one thread sees: order, bounds, batches, arguments, memory."""

import gc
import queue
import sys
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwcp import lockfree

Make = Callable[[int], Any]
NAMES = ("SpscRing", "MpmcQueue", "Queue", "Stack", "JoinableQueue")


def structure(name: str, capacity: int) -> Any:
    kind = getattr(lockfree, name)
    return kind(capacity) if name in ("SpscRing", "MpmcQueue") else kind()


STEPS = st.one_of(
    st.tuples(st.just("put"), st.just(0)),
    st.tuples(st.just("get"), st.just(0)),
    st.tuples(st.just("put_many"), st.integers(0, 12)),
    st.tuples(st.just("get_many"), st.integers(1, 12)),
    st.tuples(st.just("clear"), st.just(0)),
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(capacity=st.integers(1, 9), steps=st.lists(STEPS, max_size=60))
def test_it_is_a_deque_with_a_bound(name: str, capacity: int, steps: list[tuple[str, int]]) -> None:
    made = structure(name, capacity)
    bound = made.capacity
    model: deque[object] = deque()
    take = model.pop if name == "Stack" else model.popleft
    number = 0
    for step, size in steps:
        room = sys.maxsize if bound is None else bound - len(model)
        if step == "put":
            assert made.try_put(number) is (room > 0)
            if room > 0:
                model.append(number)
            number += 1
        elif step == "get":
            nothing = object()
            got = made.try_get(nothing)
            assert (got is nothing) == (not model)
            if model:
                assert got == take()
        elif step == "put_many":
            items = list(range(number, number + size))
            put = made.put_many(items, block=False)
            assert put == min(size, room)
            model.extend(items[:put])
            number += size
        elif step == "get_many" and model:
            expected = [take() for _ in range(min(size, len(model)))]
            assert made.get_many(size, block=False) == expected
        elif step == "clear":
            made.clear()
            model.clear()
        assert made.qsize() == len(model)
        assert made.empty() is (not model)
        assert made.full() is (len(model) == bound)
        if model:
            assert made.peek() == (model[-1] if name == "Stack" else model[0])
        else:
            with pytest.raises(queue.Empty):
                made.peek()


def test_full_and_empty_are_those_of_the_module_queue(make_bounded: Make) -> None:
    made = make_bounded(1)
    made.put("x")
    for call in (
        lambda: made.put_nowait("y"),
        lambda: made.put("y", False),
        lambda: made.put("y", timeout=0),
        lambda: made.put("y", True, 0.001),
    ):
        with pytest.raises(queue.Full):
            call()
    assert made.get() == "x"
    for get in (
        lambda: made.get_nowait(),
        lambda: made.get(False),
        lambda: made.get(timeout=0.001),
        lambda: made.get_many(3, timeout=0.001),
    ):
        with pytest.raises(queue.Empty):
            get()
    assert lockfree.Empty is queue.Empty
    assert lockfree.Full is queue.Full
    assert getattr(queue, "ShutDown", lockfree.ShutDown) is lockfree.ShutDown


def test_none_is_an_item_like_any_other(make: Make) -> None:
    made = make(4)
    made.put(None)
    assert made.try_get("nothing") is None
    assert made.try_get("nothing") == "nothing"
    assert made.try_get() is None


@pytest.mark.parametrize("name", ["SpscRing", "MpmcQueue"])
@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((0,), ValueError, "capacity must be at least 1, but is 0"),
        ((-5,), ValueError, "capacity must be at least 1, but is -5"),
        ((2**62,), ValueError, "capacity must be from 1 to 2\\^48"),
        ((2**70,), ValueError, "capacity must be from 1 to 2\\^48"),
        ((2**46,), MemoryError, "^$"),
        (("8",), TypeError, "capacity must be an int, not <class 'str'>"),
        ((1.0,), TypeError, "capacity must be an int, not <class 'float'>"),
        ((), TypeError, "takes one argument, capacity"),
        ((1, 2), TypeError, "takes one argument, capacity"),
    ],
)
def test_capacities_that_make_no_sense_are_refused(
    name: str, arguments: tuple[Any, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        getattr(lockfree, name)(*arguments)


@pytest.mark.parametrize("name", ["Queue", "Stack", "JoinableQueue"])
def test_unbounded_ones_take_no_capacity(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(lockfree, name)(8)
    made = getattr(lockfree, name)()
    assert (made.capacity, made.maxsize, made.full()) == (None, 0, False)


def test_capacity_may_be_named_and_is_exact() -> None:
    for capacity in (1, 3, 1000):
        made: lockfree.MpmcQueue[int] = lockfree.MpmcQueue(capacity=capacity)
        assert made.put_many(range(2000), block=False) == capacity
        assert (made.capacity, made.maxsize, made.full()) == (capacity, capacity, True)


@pytest.mark.parametrize(
    ("timeout", "error", "text"),
    [
        (-1, ValueError, "timeout must be a non-negative number of seconds, not -1"),
        (float("nan"), ValueError, "not nan"),
        ("1", TypeError, "timeout must be a number of seconds or None, not <class 'str'>"),
    ],
)
def test_timeouts_that_make_no_sense_are_refused(
    make: Make, timeout: Any, error: type[Exception], text: str
) -> None:
    made = make(1)
    with pytest.raises(error, match=text):
        made.get(timeout=timeout)
    with pytest.raises(error, match=text):
        made.get_many(1, timeout=timeout)


def test_arguments_are_checked(make: Make) -> None:
    made = make(4)
    with pytest.raises(TypeError, match="item"):
        made.put()
    with pytest.raises(TypeError):
        made.put(1, True, None, 4)
    with pytest.raises(TypeError):
        made.put(1, wait=True)
    with pytest.raises(ValueError, match="max must be at least 1, but is 0"):
        made.get_many(0)
    with pytest.raises(TypeError):
        made.get_many("3")
    with pytest.raises(TypeError):
        made.put_many(5)
    assert made.empty()


def test_references_are_given_back(make: Make) -> None:
    class Item:
        pass

    item = Item()
    before = sys.getrefcount(item)
    made = make(8)
    for _ in range(3):
        made.put(item)
        made.try_put(item)
        made.put_many([item, item])
        assert sys.getrefcount(item) == before + 4
        assert made.get() is item
        assert made.get_many(2) == [item, item]
        made.clear()
        assert sys.getrefcount(item) == before
    made.put(item)
    del made
    gc.collect()
    assert sys.getrefcount(item) == before


def test_a_refused_item_keeps_no_reference(make_bounded: Make) -> None:
    item = object()
    made = make_bounded(1)
    made.put(1)
    before = sys.getrefcount(item)
    assert not made.try_put(item)
    assert made.put_many([item, item], block=False) == 0
    with pytest.raises(queue.Full):
        made.put(item, timeout=0.001)
    made.shutdown()
    with pytest.raises(lockfree.ShutDown):
        made.put(item)
    assert sys.getrefcount(item) == before


def test_a_cycle_through_a_structure_is_collected(make: Make) -> None:
    class Holder:
        made: Any

    gc.collect()
    holder = Holder()
    holder.made = make(4)
    holder.made.put(holder)
    gone = weakref.ref(holder)
    gone_too = weakref.ref(holder.made)
    del holder
    assert gone() is not None
    gc.collect()
    assert gone() is None
    assert gone_too() is None


def test_items_may_use_the_structure_that_drops_them(make: Make) -> None:
    made = make(64)

    class Item:
        def __del__(self) -> None:
            if made.qsize() < 8:
                made.put("left")

    for _ in range(10):
        made.put(Item())
    for _ in range(10):
        made.try_get()
    made.clear()
    assert made.empty() or made.peek() == "left"


def test_subclasses_and_annotations_work(make: Make) -> None:
    class Mine(lockfree.MpmcQueue[int]):
        pass

    mine = Mine(2)
    mine.put(1)
    mine.name = "attributes too"  # type: ignore[attr-defined]
    assert mine.get() == 1
    assert isinstance(mine, lockfree.Structure)
    assert isinstance(make(1), lockfree.Structure)
    assert "MpmcQueue[int]" in repr(lockfree.MpmcQueue[int])
    with pytest.raises(TypeError, match="cannot create"):
        lockfree.Structure()
