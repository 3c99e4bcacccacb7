"""Memory on chosen nodes, and where memory lies."""

from collections.abc import Sequence
from typing import Literal

from dwcp._core.placed_memory import PlacedMemory, memory_nodes, move, nodes_of
from dwcp._core.placed_memory import allocate as _allocate

__all__ = ["PlacedMemory", "allocate", "memory_nodes", "move", "nodes_of"]


def allocate(
    size: int,
    node: int | Sequence[int],
    *,
    placing: Literal["bind", "preferred", "interleave"] = "bind",
    huge: bool = False,
    lock: bool = False,
) -> PlacedMemory:
    """Allocate memory on a node, or on several.

    May be called from any thread; the GIL is released.

    Parameters
    ----------
    size
        Bytes, 1 to 2^46; rounded up to pages.
    node
        Number of a memory node, or several for bind and interleave.
    placing
        On these nodes or not at all (bind), on this one as long as it has memory (preferred), or
        on these in turn, page by page (interleave).
    huge
        Whether to try huge pages, as `huge_pages.allocate` does.
    lock
        Whether it must never be swapped out.

    Returns
    -------
    PlacedMemory
        A writable buffer, zeros, whose pages are there.

    Raises
    ------
    ValueError
        For a size out of bounds and for nodes that are not there, naming those that are.
    OSError
        When there is not so much memory on the nodes, or it may not be locked.
    """
    nodes = [node] if isinstance(node, int) else list(node)
    return _allocate(size=size, huge=huge, placing=placing, nodes=nodes, lock=lock)
