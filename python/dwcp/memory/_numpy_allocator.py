"""A pool as the place where NumPy takes the memory of new arrays from."""

from collections.abc import Iterator
from contextlib import contextmanager

from dwcp._core.memory import BufferPool, pool_handler, set_handler


@contextmanager
def numpy_allocator(pool: BufferPool) -> Iterator[None]:
    """Let NumPy arrays that are made in a `with` block use the memory of a pool.

    Arrays may outlive the block: they give their memory back when they go, and hold the pool until
    then. What was in force before is restored at the end of the block. It holds for the calling
    thread, and for each asyncio task by itself (NEP 49: the handler is a context variable).

    Parameters
    ----------
    pool
        Where the memory comes from. Its `close` is not noticed by NumPy. Huge pages and nodes for
        arrays are those of the pool: `BufferPool(huge_pages=True)`, `BufferPool(nodes=1)`.

    Raises
    ------
    TypeError
        When it is no BufferPool.

    Examples
    --------
    >>> import numpy as np
    >>> pool = BufferPool(nodes=0)
    >>> with numpy_allocator(pool):
    ...     array = np.zeros(1000)
    >>> pool.stats().total.allocations
    1
    """
    before = set_handler(pool_handler(pool))
    try:
        yield
    finally:
        set_handler(before)
