"""Other people's implementations of the checksums, and slow ones by their definitions."""

import binascii
import zlib
from collections.abc import Callable

import crc32c as crc32c_package
import google_crc32c
import numpy as np
import xxhash

from dwcp import checksum

POLYNOMIALS = {  # bit-reflected, and the bits of the register
    "crc32": (0xEDB88320, 32),
    "crc32c": (0x82F63B78, 32),
    "crc64nvme": (0x9A6C9329AC4BC9B5, 64),
}
CRCS = sorted(POLYNOMIALS)
FUNCTIONS: dict[str, Callable[..., int]] = {
    name: getattr(checksum, name) for name in checksum.algorithms_available
}


def crc_by_bits(name: str, data: bytes, value: int = 0) -> int:
    polynomial, bits = POLYNOMIALS[name]
    register = value ^ ((1 << bits) - 1)
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (polynomial if register & 1 else 0)
    return register ^ ((1 << bits) - 1)


def fletcher32_by_words(data: bytes) -> int:
    a = b = 0
    padded = bytes(data) + bytes(len(data) % 2)
    for word in np.frombuffer(padded, dtype="<u2").tolist():
        a = (a + word) % 65535
        b = (b + a) % 65535
    return b << 16 | a


def google(data: bytes) -> int:
    return int(google_crc32c.value(bytes(data)))


# Each takes bytes-like data; the names are those of dwcp.checksum.
ORACLES: dict[str, list[Callable[[bytes], int]]] = {
    "crc32": [zlib.crc32, binascii.crc32],
    "crc32c": [crc32c_package.crc32c, google],
    "crc64nvme": [lambda data: crc_by_bits("crc64nvme", data)],
    "adler32": [zlib.adler32],
    "fletcher32": [fletcher32_by_words],
    "xxh32": [xxhash.xxh32_intdigest],
    "xxh3_64": [xxhash.xxh3_64_intdigest],
    "xxh3_128": [xxhash.xxh3_128_intdigest],
}


def pattern(length: int, seed: int = 0) -> bytes:
    return np.random.default_rng([length, seed]).integers(0, 256, length, dtype=np.uint8).tobytes()
