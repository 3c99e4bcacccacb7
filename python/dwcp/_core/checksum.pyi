from typing import Any

import numpy
import numpy.typing

import dwcp.typing
from dwcp.typing import BufferLike


def crc32(data: BufferLike, value: int = 0) -> int:
    """
    CRC-32 (RFC 1952, that of zlib and gzip) of data: 0..2^32-1.

    value is the checksum of what came before: crc32(b, crc32(a)) ==
    crc32(a + b). Only its lower 32 bits count, as in zlib.crc32.
    May be called from any thread; the GIL is released from 64 KiB on.
    Raises TypeError or BufferError unless data is a C-contiguous buffer.
    """

def crc32c(data: BufferLike, value: int = 0) -> int:
    """
    CRC-32C (Castagnoli, RFC 3720) of data: 0..2^32-1.

    value is the checksum of what came before: crc32c(b, crc32c(a)) ==
    crc32c(a + b). May be called from any thread; the GIL is released from
    64 KiB on. Raises TypeError or BufferError unless data is a C-contiguous
    buffer, ValueError when value is not 0..2^32-1.
    """

def crc64nvme(data: BufferLike, value: int = 0) -> int:
    """
    CRC-64/NVME (NVM Express NVM Command Set Specification, 64-bit guard) of
    data, the digest of states and deltas: 0..2^64-1.

    value is the checksum of what came before. May be called from any thread;
    the GIL is released from 64 KiB on. Raises TypeError or BufferError unless
    data is a C-contiguous buffer, ValueError when value is not 0..2^64-1.
    """

def adler32(data: BufferLike, value: int = 1) -> int:
    """
    Adler-32 (RFC 1950, that of zlib) of data: 0..2^32-1.

    value is the checksum of what came before: adler32(b, adler32(a)) ==
    adler32(a + b). Only its lower 32 bits count, as in zlib.adler32, and each
    half of them modulo 65521. May be called from any thread; the GIL is
    released from 64 KiB on. Raises TypeError or BufferError unless data is a
    C-contiguous buffer.
    """

def fletcher32(data: BufferLike, value: int = 0) -> int:
    """
    Fletcher-32 of data, as little-endian words of 16 bits from sums of 0 and
    modulo 65535 (J. Fletcher, IEEE Transactions on Communications, 1982).

    An odd last byte counts as a word whose high byte is 0. value is the
    checksum of what came before, which must have had an even length for the
    result to be that of the whole; Checksum takes pieces of any length.
    May be called from any thread; the GIL is released from 64 KiB on.
    Raises TypeError or BufferError unless data is a C-contiguous buffer,
    ValueError when value is not 0..2^32-1.
    """

def xxh32(data: BufferLike, seed: int = 0) -> int:
    """
    XXH32 (libxxhash) of data: 0..2^32-1.

    May be called from any thread; the GIL is released from 64 KiB on.
    Raises TypeError or BufferError unless data is a C-contiguous buffer,
    ValueError when seed is not 0..2^32-1.
    """

def xxh3_64(data: BufferLike, seed: int = 0) -> int:
    """
    XXH3, 64 bits (libxxhash), of data: 0..2^64-1.

    May be called from any thread; the GIL is released from 64 KiB on.
    Raises TypeError or BufferError unless data is a C-contiguous buffer,
    ValueError when seed is not 0..2^64-1.
    """

def xxh3_128(data: BufferLike, seed: int = 0) -> int:
    """
    XXH3, 128 bits (libxxhash), of data: 0..2^128-1.

    May be called from any thread; the GIL is released from 64 KiB on.
    Raises TypeError or BufferError unless data is a C-contiguous buffer,
    ValueError when seed is not 0..2^64-1.
    """

def crc32_combine(crc1: int, crc2: int, length2: int) -> int:
    """
    CRC-32 of A + B from the checksums of A and B and the length of B in bytes.

    Takes time proportional to the logarithm of length2; may be called from any thread.
    Raises ValueError when a checksum is not 0..2^32-1 or length2 not 0..2^64-1.
    """

def crc32c_combine(crc1: int, crc2: int, length2: int) -> int:
    """
    CRC-32C of A + B from the checksums of A and B and the length of B in bytes.

    Otherwise as crc32_combine.
    """

def crc64nvme_combine(crc1: int, crc2: int, length2: int) -> int:
    """
    CRC-64/NVME of A + B from the checksums of A and B and the length of B in bytes.

    Otherwise as crc32_combine, with checksums of 0..2^64-1.
    """

def adler32_combine(adler1: int, adler2: int, length2: int) -> int:
    """
    Adler-32 of A + B from the checksums of A and B and the length of B in bytes.

    Takes constant time; may be called from any thread. Raises ValueError when a checksum
    is not 0..2^32-1 or length2 not 0..2^64-1.
    """

class Checksum:
    """
    A checksum of data that come in pieces, used like the objects of hashlib.

    Calls from several threads are serialised by a lock in each object, with the GIL and
    without one. The GIL is released for pieces of 64 KiB and more; a piece once begun is
    not interrupted by signals.
    """

    def __init__(self, name: str, data: dwcp.typing.BufferLike = b'', *, seed: int = 0) -> None:
        """
        Begin with the algorithm name, one of algorithms_available, and the first data.

        seed is for xxh32 (0..2^32-1), xxh3_64 and xxh3_128 (0..2^64-1). Raises ValueError
        for an unknown name or a seed out of bounds, TypeError or BufferError unless data
        is a C-contiguous buffer.
        """

    def update(self, data: dwcp.typing.BufferLike, /) -> None:
        """
        Go on with data. Pieces of any length give what the whole would give.

        Raises TypeError or BufferError unless data is a C-contiguous buffer.
        """

    def reset(self) -> None:
        """Begin anew, with the same seed."""

    def copy(self) -> Checksum:
        """An object with the data so far that goes its own way from here."""

    def digest(self) -> bytes:
        """
        Checksum of the data so far as digest_size bytes, big-endian. More may follow.
        """

    def hexdigest(self) -> str:
        """The same as 2 * digest_size hexadecimal digits."""

    @property
    def value(self) -> int:
        """
        Checksum of the data so far as an int, what the one-shot function returns.
        """

    @property
    def name(self) -> str:
        """Name of the algorithm, which is that of the one-shot function."""

    @property
    def digest_size(self) -> int:
        """Length of digest() in bytes: 4, 8 or 16."""

    @property
    def block_size(self) -> int:
        """
        How many bytes the algorithm takes at a time: 1 for CRCs and Adler-32, 2 for
        Fletcher-32, 16 for XXH32, 64 for XXH3.
        """

def algorithms() -> list[str]:
    """Names that Checksum and verify know."""

def verify(name: str, data: dwcp.typing.BufferLike, expected: int | dwcp.typing.BufferLike | str) -> bool:
    """
    Whether data have the checksum expected: True if and only if they have.

    expected is an int, a digest (big-endian bytes) or its hexadecimal digits, as value,
    digest() and hexdigest() of Checksum give them. May be called from any thread; the GIL
    is released for data of 64 KiB and more. Raises ValueError for an unknown name or when
    expected has the wrong size for it, TypeError or BufferError unless data is a
    C-contiguous buffer.
    """

def chunks(data: dwcp.typing.BufferLike, min: int = 2048, avg: int = 8192, max: int = 65536) -> numpy.typing.NDArray[numpy.uint64]:
    """
    Content-defined chunks of data: an array of shape (n, 2), offset and length in bytes.

    Boundaries move with the content: after an insertion only the chunks around it differ.
    Chunks come in order and without gaps; empty data have none. All but the last have at
    least min bytes and all at most max; around avg a boundary becomes easy to find.
    After FastCDC (W. Xia et al., 2016); docs/chunks.md defines them exactly, the same on
    every processor. May be called from any thread; the GIL is released for long data.
    Raises ValueError unless 64 <= min <= avg <= max <= 268435456, and TypeError or
    BufferError unless data is a C-contiguous buffer.
    """

class RollingHash:
    """
    Hash of the last `window` bytes, brought up to date byte by byte.

    With M = 6364136223846793005 and the last n bytes b[1] .. b[n], n up to
    the window, value is the sum of (b[i] + 1) * M**(n - i) modulo 2**64
    (R. Karp, M. Rabin, 1987): order counts, and so do zeros. The high bits
    mix best. No protection against an adversary. Threads that share an
    object take turns call by call; the GIL is released for long data.
    Raises ValueError unless window is from
    1 to 1073741824 bytes.
    """

    def __init__(self, window: int) -> None: ...

    @property
    def window(self) -> int:
        """Bytes that the value depends on."""

    @property
    def value(self) -> int:
        """
        The hash, 64 bits; 0 before the first byte, and of fewer bytes than the window
        before it is full.
        """

    def update(self, byte: int) -> None:
        """Take one more byte, an int from 0 to 255 (else ValueError)."""

    def reset(self) -> None:
        """Forget all bytes."""

    def scan(self, data: dwcp.typing.BufferLike, out: dwcp.typing.BufferLike | None = None) -> Any:
        """
        update() with each byte of data; the value after each, an array of uint64.

        out, where given, takes the values and is returned: a writable buffer of 8 bytes
        for each byte of data, aligned to 8 (else ValueError).
        """
