"""Instruction sets: which the processor has, which is active, forcing one.

The best supported one is chosen when dwcp is imported. The environment variable ``DWCP_ISA`` names
another; an unknown or unsupported name is an ImportError that lists the choices.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from dwcp._core import isa as _isa

__all__ = ["active", "available", "built", "force"]


def built() -> list[str]:
    """Instruction sets in this build, from the most portable to the most capable."""
    return _isa.built()


def available() -> list[str]:
    """Those of built() that this processor and operating system can run."""
    return _isa.available()


def active() -> str:
    """Name of the one that kernels run on now."""
    return _isa.active()


@contextmanager
def force(name: str) -> Iterator[None]:
    """Run all kernels on the instruction set `name` inside a ``with`` block.

    The switch is for the whole process: do not use it in two threads at once.

    Parameters
    ----------
    name
        One of available().

    Raises
    ------
    ValueError
        The name is unknown or not supported here; the message lists the choices.
    """
    before = _isa.active()
    _isa.force(name)
    try:
        yield
    finally:
        _isa.force(before)
