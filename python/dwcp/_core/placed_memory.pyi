from collections.abc import Sequence
from typing import Literal

import dwcp.typing


class PlacedMemory:
    """
    Pages of memory straight from the kernel: a writable buffer of bytes.

    Zeros at first. memoryview, numpy.asarray and whatever else takes a buffer use the memory
    itself; it goes with the object and the last of its views.
    """

    def __len__(self) -> int:
        """Length in bytes: whole pages, or whole huge pages."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

    @property
    def kind(self) -> Literal['plain', 'transparent', 'hugetlb']:
        """
        Which pages the kernel has given: plain ones, huge ones that it made of them
        (transparent), or huge ones that were reserved (hugetlb).
        """

    @property
    def reason(self) -> str:
        """Why it is not what was wished for; empty when it is."""

    @property
    def huge_bytes(self) -> int:
        """
        How much of it lies in huge pages just now, in bytes (/proc/self/smaps).
        """

def allocate(size: int, huge: bool, placing: str, nodes: Sequence[int], lock: bool) -> PlacedMemory:
    """What huge_pages.allocate and numa.allocate do."""

def memory_nodes() -> list[int]:
    """
    Numbers of the memory nodes that this process may use; [0] where the kernel knows
    none.
    """

def nodes_of(buffer: dwcp.typing.BufferLike) -> dict[int, int]:
    """
    On which nodes the pages of a buffer lie: how many on each; -1 counts those that
    are not there. Raises TypeError or BufferError unless it is a C-contiguous buffer,
    OSError where the kernel refuses. move_pages(2).
    """

def move(buffer: dwcp.typing.BufferLike, node: int) -> int:
    """
    Move the pages of a buffer to a node, with whatever else lies in them.

    Returns how many pages are there afterwards. Raises ValueError for a node that is
    not there, and as nodes_of() does. The GIL is released. move_pages(2).
    """
