"""Deltas between states: XOR, changed regions, encoder, decoder and dirty tracker.

A delta names the length and digest (CRC-64/NVME) of the state that it applies to and the digest of
the state that it yields; nothing is written before all of it is verified. The format is described
in docs/format.md.

Inputs are C-contiguous buffers: bytes, bytearray, memoryview, mmap, array, NumPy arrays of any
type. All functions may be called from any thread and release the GIL while they work.
"""

from dwcp._core.delta import (
    Decoder,
    DirtyTracker,
    Encoder,
    Inspection,
    apply,
    changed_regions,
    compose,
    decode,
    encode,
    inspect,
    regions,
    update,
    xor,
)

__all__ = [
    "Decoder",
    "DirtyTracker",
    "Encoder",
    "Inspection",
    "apply",
    "changed_regions",
    "compose",
    "decode",
    "encode",
    "inspect",
    "regions",
    "update",
    "xor",
]
