import dwcp.typing


def crc32c(data: dwcp.typing.BufferLike, value: int = 0, /) -> int:
    """
    CRC-32C (Castagnoli, RFC 3720) of data.

    value is the checksum of what came before: crc32c(b, crc32c(a)) == crc32c(a + b).
    The GIL is released for long data. Raises TypeError or BufferError unless data is a
    C-contiguous buffer.
    """

def crc64nvme(data: dwcp.typing.BufferLike, value: int = 0, /) -> int:
    """
    CRC-64/NVME (NVM Express Base Specification, 64-bit guard) of data: the digest of
    states and deltas.

    value is the checksum of what came before. The GIL is released for long data.
    Raises TypeError or BufferError unless data is a C-contiguous buffer.
    """

def crc64nvme_combine(crc1: int, crc2: int, length2: int, /) -> int:
    """
    CRC-64/NVME of A + B from the checksums of A and B and the length of B in bytes.
    """

def xxh3_64(data: dwcp.typing.BufferLike, seed: int = 0) -> int:
    """
    XXH3, 64 bits, of data (libxxhash).

    The GIL is released for long data. Raises TypeError or BufferError unless data is a
    C-contiguous buffer.
    """
