"""Structures by name."""

from collections.abc import Callable
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
