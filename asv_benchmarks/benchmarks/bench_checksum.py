"""Checksums and chunks, for each instruction set and size, beside their peers.

`ceiling` is bytes.find of a byte that does not occur, which is memchr of the C library: it reads
every byte once and does next to nothing with it. Below some kilobytes the call is most of it.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from dwcp import checksum

from .contestants import TIERS, Calls, load
from .states import MIB

SIZES = [64, 256, 1024, 4096, 16 << 10, 64 << 10, 256 << 10, MIB, 8 * MIB, 64 * MIB]


def data_without_zeros(size: int) -> bytes:
    return np.random.default_rng(size).integers(1, 256, size, dtype=np.uint8).tobytes()


class _Checksum(Calls):
    params = (TIERS, SIZES)
    param_names = ("tier", "size")
    function: ClassVar[str]
    peers: ClassVar[dict[str, str]]

    def __init_subclass__(cls) -> None:
        cls.contestants = ("dwcp", *cls.peers, "ceiling")
        super().__init_subclass__()

    def setup(self, tier: str, size: int) -> None:
        self.force(tier)
        data = data_without_zeros(size)
        ours: Callable[..., Any] = getattr(checksum, self.function)
        functions = {name: load(path) for name, path in self.peers.items()}
        for name, function in functions.items():
            if not self.agrees(ours, function, data):
                raise ValueError(f"{self.function} and {name} give different values")
        self.calls = {name: (function, (data,)) for name, function in functions.items()}
        self.calls |= {"dwcp": (ours, (data,)), "ceiling": (data.find, (b"\0",))}

    def agrees(self, ours: Callable[..., Any], peer: Callable[..., Any], data: bytes) -> bool:
        return bool(ours(data) == peer(data))

    def volume(self, tier: str, size: int) -> int:
        return size


class Crc32(_Checksum):
    """CRC-32 (IEEE 802.3)."""

    function = "crc32"
    peers: ClassVar = {
        "isal": "isal.isal_zlib:crc32",
        "zlib_ng": "zlib_ng.zlib_ng:crc32",
        "libdeflate": "deflate:crc32",
        "fastcrc": "fastcrc:crc32.iso_hdlc",
        "zlib": "zlib:crc32",
    }


class Crc32c(_Checksum):
    """CRC-32C (Castagnoli)."""

    function = "crc32c"
    peers: ClassVar = {
        "crc32c_rs": "crc32c_rs:crc32c",
        "awscrt": "awscrt.checksums:crc32c",
        "fastcrc": "fastcrc:crc32.iscsi",
        "crc32c": "crc32c:crc32c",
        "google": "google_crc32c:value",
    }


class Crc64nvme(_Checksum):
    """CRC-64/NVME."""

    function = "crc64nvme"
    peers: ClassVar = {"awscrt": "awscrt.checksums:crc64nvme"}


class Adler32(_Checksum):
    """Adler-32."""

    function = "adler32"
    peers: ClassVar = {
        "libdeflate": "deflate:adler32",
        "zlib_ng": "zlib_ng.zlib_ng:adler32",
        "isal": "isal.isal_zlib:adler32",
        "zlib": "zlib:adler32",
    }


class Fletcher32(_Checksum):
    """Fletcher-32.

    imagecodecs has that of HDF5, which takes words with the high byte first: the same sums, of data
    with their bytes swapped.
    """

    function = "fletcher32"
    peers: ClassVar = {"imagecodecs": "imagecodecs:h5checksum_fletcher32"}

    def agrees(self, ours: Callable[..., Any], peer: Callable[..., Any], data: bytes) -> bool:
        swapped = np.frombuffer(data, dtype="<u2").byteswap().tobytes()
        # Residues: HDF5 leaves 65535 where others have 0.
        theirs = peer(swapped)
        return ours(data) == (theirs >> 16) % 65535 << 16 | (theirs & 0xFFFF) % 65535


class Xxh32(_Checksum):
    """XXH32."""

    function = "xxh32"
    peers: ClassVar = {"xxhash": "xxhash:xxh32_intdigest"}


class Xxh3x64(_Checksum):
    """XXH3, 64 bits."""

    function = "xxh3_64"
    peers: ClassVar = {"xxhash": "xxhash:xxh3_64_intdigest"}


class Xxh3x128(_Checksum):
    """XXH3, 128 bits."""

    function = "xxh3_128"
    peers: ClassVar = {"xxhash": "xxhash:xxh3_128_intdigest"}


class Chunks(Calls):
    """Content-defined chunks of 8 KiB on average, from 2 to 64 KiB.

    The work is the same and the boundaries are not: pyfastcdc's follow from another table. It gives
    an iterator, which a list is made of, as ours makes an array.
    """

    params = (TIERS, [MIB, 64 * MIB])
    param_names = ("tier", "size")
    contestants = ("dwcp", "pyfastcdc", "ceiling")

    def setup(self, tier: str, size: int) -> None:
        self.force(tier)
        data = data_without_zeros(size)
        chunker = load("pyfastcdc:FastCDC")(8192, min_size=2048, max_size=65536)
        self.calls = {
            "dwcp": (checksum.chunks, (data, 2048, 8192, 65536)),
            "pyfastcdc": (lambda buffer: list(chunker.cut_buf(buffer)), (data,)),
            "ceiling": (data.find, (b"\0",)),
        }

    def volume(self, tier: str, size: int) -> int:
        return size
