from collections.abc import Iterable, Sequence
from typing import Literal, final

from dwcp.memory import PoolStats


@final
class Buffer:
    """
    Memory of a BufferPool: a writable buffer of bytes, aligned to 64.

    memoryview(buffer), numpy.asarray(buffer) and whatever else takes a buffer use the
    memory itself. It goes back to the pool by put(), by release(), at the end of a
    `with` block or when the object goes, from any thread; as long as there are views,
    it is only marked, and the last view gives it back.
    """
    @property
    def size(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def released(self) -> bool: ...
    def release(self) -> None: ...
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __enter__(self) -> Buffer: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class BufferPool:
    """
    Memory that is used again, in 15 classes of 64 bytes to 1 MiB, and larger.

    limit_bytes is the most to hold from the kernel, in use or not, 1 to 2^46; with zero
    buffers are cleared when they are got. What is larger than 1 MiB comes from the kernel
    and is kept up to 64 MiB. Buffers of a page (4 KiB, on some machines more) and larger
    are aligned to pages and share none. With huge_pages memory is held 2 MiB at a time,
    and the kernel is asked for huge pages; kind, huge_bytes and reason tell what it gave.
    nodes, a number of a memory node or several, says where all of it lies, and placing how:
    'bind' (the default with nodes), 'preferred' or 'interleave', as for numa.allocate.
    All calls may be made from any thread; each thread has a cache of its own, so that they
    seldom wait for one another. A forked child may go on with copies of all buffers.
    Raises ValueError for a limit out of bounds and for nodes that are not there, OSError
    where the kernel gives no addresses (ulimit -v) or refuses the placing.
    """
    def __new__(
        cls,
        *,
        limit_bytes: int | None = None,
        zero: bool = False,
        huge_pages: bool = False,
        placing: Literal["bind", "preferred", "interleave"] | None = None,
        nodes: int | Sequence[int] | None = None,
    ) -> BufferPool: ...
    def get(self, size: int, /) -> Buffer: ...
    def put(self, buffer: Buffer, /) -> None: ...
    def get_many(self, count: int, size: int) -> list[Buffer]: ...
    def put_many(self, buffers: Iterable[Buffer], /) -> None: ...
    def stats(self) -> PoolStats: ...
    def trim(self) -> int: ...
    def close(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    @property
    def huge_bytes(self) -> int: ...
    @property
    def kind(self) -> Literal["plain", "transparent"]: ...
    @property
    def reason(self) -> str: ...
    def __enter__(self) -> BufferPool: ...
    def __exit__(self, *exception: object) -> None: ...

def pool_handler(pool: BufferPool) -> object:
    """What NumPy's memory handler for a pool is."""

def set_handler(handler: object) -> object:
    """
    Make NumPy take memory for new arrays of this context by a handler; returns the one
    before.
    """
