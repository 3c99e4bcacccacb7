"""Structures by name."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dwcp import lockfree

MAKERS: dict[str, Callable[[int], Any]] = {
    "SpscRing": lockfree.SpscRing,
    "MpmcQueue": lockfree.MpmcQueue,
    "Queue": lambda capacity: lockfree.Queue(),
    "Stack": lambda capacity: lockfree.Stack(),
    "JoinableQueue": lambda capacity: lockfree.JoinableQueue(),
}
BOUNDED = ("SpscRing", "MpmcQueue")


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    """A function that makes an empty structure for so many items."""
    return MAKERS[request.param]


@pytest.fixture(params=BOUNDED)
def make_bounded(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    """The same for those that can be full."""
    return MAKERS[request.param]


class InterruptError(Exception):
    """What a signal handler raises."""


@pytest.fixture
def interruption() -> Iterator[Callable[[], type[Exception]]]:
    """A function that returns what a signal handler raises in the main thread a moment later."""

    def interrupt(*_: object) -> None:
        raise InterruptError

    def start() -> type[Exception]:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        return InterruptError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield start
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
