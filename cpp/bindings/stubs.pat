# Functions of the C interface, whose signature has no types.
dwcp._core.checksum.crc32$:
    \from dwcp.typing import BufferLike
    def crc32(data: BufferLike, value: int = 0) -> int:
        \doc

dwcp._core.checksum.crc32c$:
    def crc32c(data: BufferLike, value: int = 0) -> int:
        \doc

dwcp._core.checksum.crc64nvme$:
    def crc64nvme(data: BufferLike, value: int = 0) -> int:
        \doc

dwcp._core.checksum.adler32$:
    def adler32(data: BufferLike, value: int = 1) -> int:
        \doc

dwcp._core.checksum.fletcher32$:
    def fletcher32(data: BufferLike, value: int = 0) -> int:
        \doc

dwcp._core.checksum.xxh32$:
    def xxh32(data: BufferLike, seed: int = 0) -> int:
        \doc

dwcp._core.checksum.xxh3_64$:
    def xxh3_64(data: BufferLike, seed: int = 0) -> int:
        \doc

dwcp._core.checksum.xxh3_128$:
    def xxh3_128(data: BufferLike, seed: int = 0) -> int:
        \doc

# What a single signature cannot say: the type of the result follows from `out`.
dwcp._core.delta.xor:
    \from typing import TypeVar, overload
    \from dwcp.typing import BufferLike
    _BufferT = TypeVar("_BufferT", bound=BufferLike)

    @overload
    def xor(a: BufferLike, b: BufferLike, out: None = None) -> bytes:
        \doc
    @overload
    def xor(a: BufferLike, b: BufferLike, out: _BufferT) -> _BufferT: ...

dwcp._core.delta.decode:
    @overload
    def decode(delta: BufferLike, previous: BufferLike | None = None, out: None = None, *, base_digest: int | None = None) -> bytes:
        \doc
    @overload
    def decode(delta: BufferLike, previous: BufferLike | None, out: _BufferT, *, base_digest: int | None = None) -> _BufferT: ...

# Only Python 3.12 and later show it, and `state` is what users want.
dwcp._core.delta.Encoder.__buffer__:

# Types of the C interface.
dwcp._core.lockfree.Structure$:
    \from collections.abc import Iterable
    \from typing import Generic, TypeVar, overload
    _ItemT = TypeVar("_ItemT")
    _DefaultT = TypeVar("_DefaultT")

    class Structure(Generic[_ItemT]):
        \doc
        def put(self, item: _ItemT, block: bool = True, timeout: float | None = None) -> None: ...
        def put_nowait(self, item: _ItemT, /) -> None: ...
        def try_put(self, item: _ItemT, /) -> bool: ...
        def put_many(self, items: Iterable[_ItemT], block: bool = True, timeout: float | None = None) -> int: ...
        def get(self, block: bool = True, timeout: float | None = None) -> _ItemT: ...
        def get_nowait(self) -> _ItemT: ...
        @overload
        def try_get(self, default: None = None) -> _ItemT | None: ...
        @overload
        def try_get(self, default: _DefaultT) -> _ItemT | _DefaultT: ...
        def get_many(self, max: int, block: bool = True, timeout: float | None = None) -> list[_ItemT]: ...
        def peek(self) -> _ItemT: ...
        def qsize(self) -> int: ...
        def empty(self) -> bool: ...
        def full(self) -> bool: ...
        def clear(self) -> None: ...
        def shutdown(self, immediate: bool = False) -> None: ...
        def _add_listener(self, fd: int, for_room: bool, /) -> None: ...
        def _remove_listener(self, fd: int, for_room: bool, /) -> None: ...
        @property
        def capacity(self) -> int | None: ...
        @property
        def maxsize(self) -> int: ...
        @property
        def is_shut_down(self) -> bool: ...

dwcp._core.lockfree.SpscRing$:
    class SpscRing(Structure[_ItemT]):
        \doc
        def __init__(self, capacity: int) -> None: ...

dwcp._core.lockfree.MpmcQueue$:
    class MpmcQueue(Structure[_ItemT]):
        \doc
        def __init__(self, capacity: int) -> None: ...

dwcp._core.lockfree.Queue$:
    class Queue(Structure[_ItemT]):
        \doc
        def __init__(self) -> None: ...

dwcp._core.lockfree.Stack$:
    class Stack(Structure[_ItemT]):
        \doc
        def __init__(self) -> None: ...

dwcp._core.lockfree.ShutDown$:
    class ShutDown(Exception): ...
