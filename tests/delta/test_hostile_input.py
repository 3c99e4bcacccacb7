"""Deltas from an enemy: an error, never a crash, a hang, a changed destination or much memory."""

import contextlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwcp import CorruptDelta, Unsupported, WrongBase, checksum, delta

from .states import CODECS, KINDS, MODES, pair, pairs

HEADER = 48


def refuse(bad: bytes, state: np.ndarray) -> None:
    target = state.copy()
    with pytest.raises((CorruptDelta, WrongBase, Unsupported)):
        delta.apply(bad, target)
    assert (target == state).all()
    out = np.full_like(state, 0xEE)
    with pytest.raises((CorruptDelta, WrongBase, Unsupported)):
        delta.decode(bad, state, out)
    assert (out == 0xEE).all()


def with_header(encoded: bytes, **fields: int) -> bytes:
    """The delta with other fields in its header and a correct header checksum."""
    names = ["magic", "version", "flags", "length", "base", "result", "body", "block"]
    values = dict(zip(names, struct.unpack_from("<IHHQQQQI", encoded), strict=True))
    values.update(fields)
    header = struct.pack("<IHHQQQQI", *values.values())
    return header + struct.pack("<I", checksum.crc32c(header)) + encoded[HEADER:]


def with_record(length: int, *records: bytes, base: bytes | None = None) -> bytes:
    """A delta for `length` bytes with correct checksums around hostile records."""
    body = b"".join(record + struct.pack("<I", checksum.crc32c(record)) for record in records)
    digest = checksum.crc64nvme(base if base is not None else bytes(length))
    header = struct.pack("<IHHQQQQI", 0x44435744, 1, 0, length, digest, digest, len(body), 4096)
    return header + struct.pack("<I", checksum.crc32c(header)) + body


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("mode", MODES)
def test_every_flipped_bit_is_refused(mode: str, codec: str) -> None:
    current, previous = pair(8192, "runs", 9)
    encoded = delta.encode(current, previous, mode=mode, codec=codec, block_size=4096)
    step = max(1, len(encoded) // 500)
    for position in [*range(HEADER + 40), *range(HEADER + 40, len(encoded), step)]:
        if position < len(encoded):
            bad = bytearray(encoded)
            bad[position] ^= 1 << position % 8
            refuse(bytes(bad), previous)


@pytest.mark.parametrize("mode", MODES)
def test_every_truncation_and_extension_is_refused(mode: str) -> None:
    current, previous = pair(5000, "bytes", 9)
    encoded = delta.encode(current, previous, mode=mode, block_size=4096)
    for length in range(len(encoded)):
        refuse(encoded[:length], previous)
    refuse(encoded + b"\0", previous)
    refuse(encoded + encoded, previous)


@settings(max_examples=300, deadline=None)
@given(noise=st.binary(max_size=400))
def test_random_bytes_are_refused(noise: bytes) -> None:
    refuse(noise, pair(1000, "none", 1)[0])
    refuse(struct.pack("<IHH", 0x44435744, 1, 0) + noise, pair(1000, "none", 1)[0])


@settings(max_examples=300, deadline=None)
@given(
    record=st.binary(max_size=80), start=st.sampled_from([b"", b"\0", b"\0\x03\x01", b"\0\x14\x01"])
)
def test_random_records_behind_correct_checksums_are_refused(record: bytes, start: bytes) -> None:
    state = np.zeros(5000, dtype=np.uint8)
    bad = with_record(5000, start + record)
    target = state.copy()
    # A random record may by chance be one that changes nothing.
    with contextlib.suppress(CorruptDelta, WrongBase):
        delta.apply(bad, target)
    assert not target.any()


@settings(max_examples=100, deadline=None)
@given(first=pairs, second=pairs, cut=st.integers(0, 4000))
def test_spliced_deltas_are_refused(first: tuple, second: tuple, cut: int) -> None:
    a = delta.encode(first[0], first[1], block_size=4096)
    b = delta.encode(second[0], second[1], block_size=4096)
    spliced = a[:cut] + b[cut:]
    if spliced not in (a, b):
        refuse(spliced, first[1])


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\x05" + b"\x02\x01\x00\x01\x07",  # block 5 of 2
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x01\x00\x01\x07",
        b"\x80\x00\x02\x01\x00\x01\x07",  # a number not in its shortest form
        b"\x00\x00\x01\x00\x01\x07",  # mode 0
        b"\x00\x09\x01\x00\x01\x07",  # unknown mode
        b"\x00\x82\x01\x00\x01\x07",  # unknown bit
        b"\x00\x12\x01\x00\x01\x07",  # fill by XOR
        b"\x00\x02\x02\x00\x01\x07",  # element size
        b"\x00\x02\x01\x03\x01\x01\x07",  # unknown codec
        b"\x00\x02\x01\x00\x02\x07\x07",  # fill with two bytes
        b"\x00\x02\x01\x00\x00",  # fill with none
        b"\x00\x01\x01\x00\x05abcde",  # raw, shorter than its block
        b"\x00\x01\x01\x00\xff\xff\xff\xff\x0fabc",  # stream longer than the delta
        b"\x00\x03\x01\x00\x09\x00\x40\x00" + bytes(8),  # lines: an empty mask
        b"\x00\x03\x01\x00\x09\x00\x40\x01" + b"\x01" + bytes(7) + bytes(64),  # lines: page 1 of 1
        b"\x00\x03\x01\x00\x09\x00\x00\x00" + b"\x01" + bytes(7),  # lines without values
        b"\x01\x03\x01\x00\x09\x00\x40\x00" + b"\x00\x80" + bytes(6) + bytes(64),  # beyond the end
        b"\x00\x04\x01\x00\x02\x00\x00\x00\x00",  # runs: length 0
        b"\x00\x04\x01\x00\x03\x00\x00\x80\x20\x01\x07",  # runs: beyond the block
        b"\x00\x04\x01\x00\x02\x00\x02\x00\x01\x07\x07",  # runs: too many values
        b"\x00\x04\x01\x00\x01\x00\x01\x00\x07",  # runs: half an index
        b"\x00\x01\x01\x02\x80\x20\x04abcd",  # zstd nonsense
        b"\x00\x01\x01\x01\x80\x20\x04abcd",  # lz4 nonsense
    ],
)
def test_malformed_records_with_correct_checksums_are_refused(record: bytes) -> None:
    refuse(with_record(5000, record), np.zeros(5000, dtype=np.uint8))


def test_claimed_lengths_do_not_take_memory() -> None:
    encoded = delta.encode(b"abc", b"abd")
    huge = with_header(encoded, length=1 << 62)
    tracemalloc.start()
    try:
        with pytest.raises((WrongBase, CorruptDelta, Unsupported)):
            delta.decode(huge, b"abd")
        with pytest.raises((WrongBase, CorruptDelta, Unsupported)):
            delta.apply(huge, bytearray(b"abd"))
        with pytest.raises((MemoryError, CorruptDelta)):
            delta.decode(huge)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_decompression_is_bounded_by_the_block() -> None:
    # A stream that says it decodes to more than its block is refused before anything is decoded.
    bomb = delta.encode(bytes([1]) * (1 << 20), codec="zstd", mode="raw")
    small_blocks = with_header(bomb, block=4096)
    refuse(small_blocks, np.zeros(1 << 20, dtype=np.uint8))


def test_version_from_the_future_is_named() -> None:
    encoded = with_header(delta.encode(b"abc", b"abd"), version=2)
    with pytest.raises(Unsupported, match="format version 2; this dwcp reads version 1 only"):
        delta.apply(encoded, bytearray(b"abd"))
    with pytest.raises(Unsupported, match="flags unknown"):
        delta.inspect(with_header(delta.encode(b"abc", b"abd"), flags=1))


def test_delta_for_another_state_is_refused() -> None:
    current, previous = pair(5000, "runs", 2)
    encoded = delta.encode(current, previous)
    refuse(encoded, current)
    refuse(encoded, previous[:-1])
    with pytest.raises(WrongBase, match="another digest"):
        delta.apply(encoded, previous.copy(), base_digest=0)
    target = previous.copy()
    delta.apply(encoded, target)
    with pytest.raises(WrongBase, match="another digest"):
        delta.apply(encoded, target)
    assert (target == current).all()


def test_wrong_result_digest_is_noticed_before_anything_is_written() -> None:
    for kind in KINDS[1:]:
        current, previous = pair(9000, kind, 2)
        for mode in MODES:
            bad = with_header(delta.encode(current, previous, mode=mode), result=12345)
            refuse(bad, previous)


def test_out_may_be_previous_but_not_overlap_it_otherwise() -> None:
    current, previous = pair(5000, "runs", 2)
    encoded = delta.encode(current, previous)
    area = np.zeros(5001, dtype=np.uint8)
    area[:5000] = previous
    before = area.copy()
    with pytest.raises(ValueError, match="out must be previous exactly, or not overlap it"):
        delta.decode(encoded, area[:5000], area[1:])
    assert (area == before).all()
    delta.decode(encoded, area[:5000], area[:5000])
    assert (area[:5000] == current).all()


def test_wrong_buffers_are_refused_by_name() -> None:
    encoded = delta.encode(b"abc", b"abd")
    with pytest.raises(BufferError, match="state must be a writable C-contiguous buffer"):
        delta.apply(encoded, b"abd")
    with pytest.raises(TypeError, match="delta must support the buffer protocol"):
        delta.apply("text", bytearray(3))  # type: ignore[arg-type]
    with pytest.raises(BufferError, match="current must be a C-contiguous buffer"):
        delta.encode(np.zeros((4, 4))[:, 0])
    with pytest.raises(WrongBase, match="out has 4"):
        delta.decode(encoded, b"abd", bytearray(4))
    with pytest.raises(BufferError, match="state must be a writable"):
        delta.Decoder(b"abc")
