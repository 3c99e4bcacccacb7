"""What suites share: a forced instruction set, and contestants that are single calls.

A suite has params, setup and methods time_<contestant> that do the same work on the same data;
names that begin with dwcp are ours, `ceiling` is a bound and no peer, all others are peers. asv
times each by itself; ci/bench times them in turns and prints ratios of minima.
"""

import importlib
from collections.abc import Callable
from functools import reduce
from typing import Any, ClassVar, Protocol

from dwcp import isa

TIERS = isa.available()


class Forced:
    """Runs each case on the instruction set that its first parameter names."""

    _context = None

    def force(self, tier: str) -> None:
        self._context = isa.force(tier)
        self._context.__enter__()

    def teardown(self, *_: object) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)


class Calls(Forced):
    """A suite whose contestants are single calls, each a function and its arguments.

    setup() fills `calls`; the subclass lists their names in `contestants`, from which the methods
    time_<name> are made. ci/bench calls the functions directly, because a method around a call of
    30 ns would cost more than it.
    """

    contestants: ClassVar[tuple[str, ...]] = ()
    calls: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]

    def __init_subclass__(cls) -> None:
        for name in cls.contestants:

            def time(self: "Calls", *_: object, name: str = name) -> None:
                function, arguments = self.calls[name]
                function(*arguments)

            setattr(cls, f"time_{name}", time)


class Running(Protocol):
    """A contestant that is ready."""

    def run(self, count: int) -> None: ...

    def close(self) -> None:
        """Nothing is to be done, unless it has something to give back."""


class Contest:
    """A suite of contestants that pass on items, of which each call takes `count`.

    setup() fills `running` and sets `count`; the subclass lists the names in `contestants`, from
    which the methods time_<name> are made. Reports say what one `item` takes.
    """

    contestants: ClassVar[tuple[str, ...]] = ()
    item: ClassVar[str] = "item"
    running: dict[str, Running]
    count: int

    def __init_subclass__(cls) -> None:
        for name in cls.contestants:

            def time(self: "Contest", *_: object, name: str = name) -> None:
                self.running[name].run(self.count)

            setattr(cls, f"time_{name}", time)

    def teardown(self, *_: object) -> None:
        for running in self.running.values():
            running.close()


class MissingPeerError(ImportError):
    """A package to compare with is not installed."""


def load(path: str) -> Callable[..., Any]:
    """The function that a path like "package.module:object.function" names."""
    module, _, names = path.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingPeerError(
            f"the peer '{module.partition('.')[0]}' is missing: pip install 'dwcp[bench]'"
        ) from error
    return reduce(getattr, names.split("."), found)
