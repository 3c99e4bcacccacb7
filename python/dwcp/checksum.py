"""Checksums, a rolling hash and content-defined chunks.

CRC-32, CRC-32C, CRC-64/NVME, Adler-32, Fletcher-32, XXH32 and XXH3: one function for each, `new`
for data in pieces, `*_combine` for parts that were computed apart, `verify` for comparing.
CRC-64/NVME is the digest of states and deltas. Definitions, parameters and sources are in
docs/checksums.md. `RollingHash` is the hash of a window that moves, `chunks` cuts data where their
content says, which docs/chunks.md defines.

Inputs are C-contiguous buffers: bytes, bytearray, memoryview, mmap, array, NumPy arrays of any
type. All functions may be called from any thread; the GIL is released for inputs of 64 KiB and
more. A computation once begun is not interrupted by signals: their handlers run when it is done.
"""

from typing import TYPE_CHECKING

from dwcp._core.checksum import (
    Checksum,
    RollingHash,
    adler32,
    adler32_combine,
    algorithms,
    chunks,
    crc32,
    crc32_combine,
    crc32c,
    crc32c_combine,
    crc64nvme,
    crc64nvme_combine,
    fletcher32,
    verify,
    xxh3_64,
    xxh3_128,
    xxh32,
)

if TYPE_CHECKING:
    from dwcp.typing import BufferLike

__all__ = [
    "Checksum",
    "RollingHash",
    "adler32",
    "adler32_combine",
    "algorithms_available",
    "chunks",
    "crc32",
    "crc32_combine",
    "crc32c",
    "crc32c_combine",
    "crc64nvme",
    "crc64nvme_combine",
    "fletcher32",
    "new",
    "verify",
    "xxh3_64",
    "xxh3_128",
    "xxh32",
]

algorithms_available: frozenset[str] = frozenset(algorithms())
"""Names that `new` and `verify` know: those of the one-shot functions."""


def new(name: str, data: "BufferLike" = b"", *, seed: int = 0) -> Checksum:
    """Begin a checksum of data that come in pieces, as hashlib.new does.

    Parameters
    ----------
    name
        One of `algorithms_available`.
    data
        The first piece.
    seed
        For xxh32 (0..2^32-1), xxh3_64 and xxh3_128 (0..2^64-1).

    Returns
    -------
    Checksum
        An object that takes further pieces. It may be shared by threads.

    Raises
    ------
    ValueError
        For an unknown name or a seed out of bounds.
    TypeError, BufferError
        Unless data is a C-contiguous buffer.
    """
    return Checksum(name, data, seed=seed)
