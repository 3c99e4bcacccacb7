"""Closes what is still open when the interpreter ends."""

from __future__ import annotations

import atexit
from typing import Protocol
from weakref import WeakSet

__all__ = ["close_at_exit"]


class _Closable(Protocol):
    def close(self) -> None: ...


_open: WeakSet[_Closable] = WeakSet()


def close_at_exit(item: _Closable) -> None:
    """Have `item` closed before the interpreter goes away.

    A daemon thread that comes back from native code into an interpreter that is being torn down
    would end the process with an abort.
    """
    _open.add(item)


@atexit.register
def _close_all() -> None:
    for item in list(_open):
        item.close()
