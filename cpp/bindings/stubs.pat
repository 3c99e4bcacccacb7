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
