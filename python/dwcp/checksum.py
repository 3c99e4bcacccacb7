"""Checksums: CRC-32C, CRC-64/NVME (the digest of states and deltas) and XXH3.

Inputs are C-contiguous buffers: bytes, bytearray, memoryview, mmap, array, NumPy arrays of any
type. All functions may be called from any thread; the GIL is released for long inputs.
"""

from dwcp._core.checksum import crc32c, crc64nvme, crc64nvme_combine, xxh3_64

__all__ = ["crc32c", "crc64nvme", "crc64nvme_combine", "xxh3_64"]
