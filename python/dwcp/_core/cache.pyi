from typing import SupportsIndex, final

import dwcp.typing
from dwcp.typing import BufferLike


LINE_BYTES: int = 64

SEPARATION_BYTES: int = 128

def prefetch(data: dwcp.typing.BufferLike, *, write: bool = False, locality: int = 3) -> None:
    """
    Ask the processor for the memory of a buffer, which it fetches meanwhile, or ignores.

    With write for writing to it. locality is how near to keep it: 3 in the first level, 0
    for what is used only once. May be called from any thread. Raises ValueError for another
    locality, TypeError or BufferError unless data is a C-contiguous buffer.
    """

def nontemporal_bytes_min() -> int | None:
    """
    How much a call must read and write altogether, in bytes, to go past the caches by itself.

    copy() and gather() count twice their length, fill() its length. It is the size of the
    last-level cache as the system reports it, but from 1 MiB to 96 MiB. None where the
    instruction set in use has no such stores (scalar, neon): then all stores are ordinary
    ones. May be called from any thread.
    """

def can_demote() -> bool:
    """
    Whether copy() can send what it read back out of the caches of the core.

    That takes a processor with CLDEMOTE (Intel's since Sapphire Rapids) and an instruction
    set in use with non-temporal stores. May be called from any thread.
    """

def gather_rows(table: dwcp.typing.BufferLike, row_bytes: int, rows: dwcp.typing.BufferLike, narrow: bool, out: dwcp.typing.BufferLike, is_new: bool) -> None:
    """What gather() does, for bytes."""

def gather_pieces(firsts: dwcp.typing.BufferLike, row_bytes: int, out: dwcp.typing.BufferLike) -> None:
    """What gather_strided() does, for bytes."""

def copy(dst: BufferLike, src: BufferLike, nontemporal: bool | None = None, demote: bool = False) -> None:
    """
    Copy the bytes of src to dst, past the caches where the two exceed them.

    Both are C-contiguous buffers of equal length. nontemporal is whether the stores go past
    the caches: None for twice the length from nontemporal_bytes_min() on, and as memcpy
    does below. demote sends what was read back out of the caches of the core, so that other
    data stay there; the copy takes about twice as long. It does nothing unless
    can_demote(). dst may be src exactly, and then nothing is done; any other overlap is
    refused. May be called from any thread; the GIL is released from 256 KiB on. Raises
    ValueError for other lengths, an overlap, and demote with nontemporal=False; TypeError
    or BufferError when an argument is no C-contiguous (dst: and writable) buffer.
    """

def fill(dst: BufferLike, value: SupportsIndex | BufferLike, nontemporal: bool | None = None) -> None:
    """
    Fill dst with a byte or a pattern, past the caches where it exceeds them.

    value is an int from 0 to 255, for each byte, or a buffer of 1, 2, 4, 8, 16, 32 or 64
    bytes that is repeated, such as numpy.float32(1.5). nontemporal is whether the stores go
    past the caches: None for a length from nontemporal_bytes_min() on. May be called from
    any thread; the GIL is released from 256 KiB on. Raises ValueError for another value and
    for a dst that is no multiple of the pattern; TypeError or BufferError when dst is no
    writable C-contiguous buffer.
    """

class StreamBytes:
    """The memory of a stream, which its chunks keep."""

    def __init__(self, data: dwcp.typing.BufferLike) -> None: ...

class Stream:
    """
    Chunks of a buffer in turn, while those to come are fetched: what stream() returns.

    Threads may share one; each chunk goes to one of them. The buffer is held while the
    stream or one of its chunks is there.
    """

    def __iter__(self) -> Stream: ...

    def __next__(self) -> memoryview: ...

    def __init__(self, data: dwcp.typing.BufferLike, chunk: int, distance: int, stride: int, mapped: bool) -> None: ...

    def __length_hint__(self) -> int:
        """How many chunks are left."""

    @property
    def advised_bytes(self) -> int:
        """For how much the kernel was told what comes, in bytes."""

    @property
    def refusal(self) -> OSError | None:
        """
        Why the kernel refused to be told, after which it was not tried again; None
        when it did not. madvise(2) says what the errors mean.
        """

@final
class PaddedCounter:
    """
    A number of 64 bits that threads add to, in lines of the cache of its own.

    Every call is one atomic operation and may be made from any thread, with the GIL
    and without one: nothing that is added gets lost. Beyond 2^63-1 it goes on at -2^63.
    What a thread did before it added is seen by who gets the sum.
    """
    def __new__(cls, value: int = 0) -> PaddedCounter: ...
    def add(self, n: int = 1) -> int: ...
    def get(self) -> int: ...
    def set(self, value: int, /) -> None: ...
    @property
    def value(self) -> int: ...
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...

@final
class PaddedCounters:
    """
    Numbers of 64 bits, each in lines of the cache of its own: one for each thread.

    A thread that adds to its own does not slow down the others; without the GIL it keeps
    the method for that, add = counters.add, because looking it up counts references.
    counters[i] gets and sets one; each call is atomic, as those of PaddedCounter. count
    is 0 to 2^32; each takes 128 bytes. Raises ValueError for another count, MemoryError.
    """
    def __new__(cls, count: int) -> PaddedCounters: ...
    def add(self, index: int, n: int = 1) -> int: ...
    def total(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...
