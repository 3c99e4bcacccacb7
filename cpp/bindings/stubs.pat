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
