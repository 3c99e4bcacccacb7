"""Objects that end with `close`, with their ``with`` block, or with the interpreter."""

from __future__ import annotations

import atexit
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar
from weakref import WeakSet

__all__ = ["Closable"]

_Self = TypeVar("_Self", bound="Closable")


class Closable(ABC):
    """A context manager that closes itself, at the end of the interpreter at the latest.

    A daemon thread that comes back from native code into an interpreter that is being torn down
    would end the process with an abort.
    """

    @abstractmethod
    def close(self) -> None:
        """End what the object does. It may be called again."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close_at_exit(self) -> None:
        """Have the object closed when the interpreter ends, if it is still there."""
        _open.add(self)


_open: WeakSet[Closable] = WeakSet()


@atexit.register
def _close_all() -> None:
    for item in list(_open):
        item.close()
