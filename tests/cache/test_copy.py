"""Copies and fills, past the caches and not, on each instruction set."""

import contextlib
import mmap
import sys
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dwcp import cache, isa
from dwcp._core import isa as core_isa

MIB = 1 << 20
CANARY = 0xEE
AROUND_PAGES = [p + d for p in (4096, 16_384, 32_768, 65_536) for d in (-65, -1, 0, 1, 63)]


def random_bytes(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(size + seed).integers(0, 256, size, np.uint8)


def kernel_calls(function: Any, *arguments: Any, **options: Any) -> int:
    """How many kernels a call uses: one when it goes past the caches, none when it does not."""
    core_isa.count_calls(True)
    try:
        before = core_isa.counted_calls(isa.active())
        function(*arguments, **options)
        return core_isa.counted_calls(isa.active()) - before
    finally:
        core_isa.count_calls(False)


def test_every_short_length_is_copied(tier: str) -> None:
    source = random_bytes(301)
    for length in range(301):
        for options in ({}, {"nontemporal": False}, {"nontemporal": True}, {"demote": True}):
            out = bytearray(b"\xee" * (length + 1))
            assert cache.copy(memoryview(out)[:length], source[:length], **options) is None
            assert out == source[:length].tobytes() + b"\xee"


@pytest.mark.parametrize("demote", [False, True])
def test_every_alignment_is_copied_and_nothing_around_it(tier: str, demote: bool) -> None:
    source = random_bytes(70_000)
    out = np.empty(70_000, np.uint8)
    for offset in range(0, 65, 7):
        for length in [0, 1, 63, 64, 65, 128, 300, *AROUND_PAGES]:
            for start in (0, 3, 64 - offset % 64):
                out[:] = CANARY
                cache.copy(
                    out[offset : offset + length],
                    source[start : start + length],
                    nontemporal=True,
                    demote=demote,
                )
                assert (out[:offset] == CANARY).all()
                assert (out[offset : offset + length] == source[start : start + length]).all()
                assert (out[offset + length :] == CANARY).all()


def test_every_alignment_is_filled_and_nothing_around_it(tier: str) -> None:
    out = np.empty(70_000, np.uint8)
    for offset in range(0, 65, 7):
        for length in [0, 1, 63, 64, 65, 128, 300, *AROUND_PAGES]:
            for nontemporal in (False, True):
                out[:] = CANARY
                cache.fill(out[offset : offset + length], 7, nontemporal=nontemporal)
                assert (out[:offset] == CANARY).all()
                assert (out[offset : offset + length] == 7).all()
                assert (out[offset + length :] == CANARY).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    pattern=st.sampled_from([1, 2, 4, 8, 16, 32, 64]).flatmap(
        lambda size: st.binary(min_size=size, max_size=size)
    ),
    times=st.integers(0, 200),
    offset=st.integers(0, 70),
    nontemporal=st.sampled_from([None, False, True]),
)
def test_patterns_are_repeated_from_where_the_destination_begins(
    tier: str, pattern: bytes, times: int, offset: int, nontemporal: bool | None
) -> None:
    cache.fill(bytearray(64), b"x")  # so that a kernel runs in any case
    out = bytearray(b"\xee" * (offset + times * len(pattern) + 5))
    part = memoryview(out)[offset : len(out) - 5]
    cache.fill(part, pattern, nontemporal)
    assert out == b"\xee" * offset + pattern * times + b"\xee" * 5


def test_arrays_are_filled_with_their_own_numbers() -> None:
    for value in (np.float32(1.5), np.float64(-2.25), np.complex128(1 - 2j)):
        array = np.empty((3, 50), value.dtype)
        cache.fill(array, value)
        assert (array == value).all()


def test_no_access_outside_the_buffers(tier: str, guarded_page: memoryview) -> None:
    size = len(guarded_page)
    for length in [*range(1, 130), 255, 256, 257, size]:
        for part in (guarded_page[:length], guarded_page[size - length :]):
            for demote in (False, True):
                cache.copy(part, bytes([1]) * length, nontemporal=True, demote=demote)
                out = bytearray(length)
                cache.copy(out, part, nontemporal=True, demote=demote)
                assert out == bytes([1]) * length
            cache.fill(part, 2, nontemporal=True)
            assert bytes(part) == bytes([2]) * length
            part.release()


def test_the_size_decides_which_stores_are_used(tier: str) -> None:
    bytes_min = cache.nontemporal_bytes_min()
    assert (bytes_min is None) == (tier in ("scalar", "neon"))
    assert bytes_min is None or MIB <= bytes_min <= 192 * MIB
    assert not (bytes_min is None and cache.can_demote())
    size = bytes_min or 8 * MIB
    beyond = int(bytes_min is not None)
    dst, src = np.zeros(size, np.uint8), random_bytes(size // 2)
    half = size // 2
    assert kernel_calls(cache.copy, dst[: half - 1], src[: half - 1]) == 0
    assert kernel_calls(cache.copy, dst[:half], src) == beyond
    assert np.array_equal(dst[:half], src)
    assert kernel_calls(cache.copy, dst[:half], src, nontemporal=False) == 0
    assert kernel_calls(cache.fill, dst[: size - 1], 3) == 0
    assert kernel_calls(cache.fill, dst, 3) == beyond
    assert (dst == 3).all()
    assert kernel_calls(cache.fill, dst, 4, nontemporal=False) == 0
    assert (dst == 4).all()
    core_isa.count_calls(True)  # as the fixture left it
    assert kernel_calls(cache.copy, bytearray(9), b"x" * 9, True) == 1
    core_isa.count_calls(True)
    cache.fill(bytearray(9), 1, True)


def test_lengths_that_differ_are_refused() -> None:
    out = bytearray(4)
    for options in ({}, {"nontemporal": True}):
        with pytest.raises(ValueError, match="dst and src must have equal lengths, not 4 and 3"):
            cache.copy(out, b"abc", **options)
    assert out == bytes(4)


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("nontemporal", [None, False, True])
def test_overlap_is_refused_unless_it_is_the_same(size: int, nontemporal: bool | None) -> None:
    area = random_bytes(2 * size)
    before = area.copy()
    for shift in (1, size - 1):
        for dst, src in ((0, shift), (shift, 0)):
            with pytest.raises(ValueError, match="dst must be src exactly, or not overlap it"):
                cache.copy(area[dst : dst + size], area[src : src + size], nontemporal)
    cache.copy(area[:size], area[:size], nontemporal)
    assert (area == before).all()
    cache.copy(area[:size], area[size:], nontemporal)
    assert (area[:size] == before[size:]).all()


def test_wrong_buffers_are_refused_by_name() -> None:
    for size in (3, 100_000):
        with pytest.raises(BufferError, match="dst must be a writable"):
            cache.copy(bytes(size), bytes(size))
        with pytest.raises(BufferError, match="dst must be a writable"):
            cache.fill(bytes(size), 0)
    with pytest.raises(BufferError, match="dst must be a writable C-contiguous"):
        cache.copy(np.zeros((4, 4))[:, ::2], bytes(64))
    with pytest.raises(BufferError, match="src must be a C-contiguous"):
        cache.copy(bytearray(64), np.zeros((4, 4))[:, ::2])
    with pytest.raises(TypeError, match="src must support the buffer protocol"):
        cache.copy(bytearray(3), "abc")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dst must support the buffer protocol"):
        cache.fill(None, 0)  # type: ignore[arg-type]


def test_wrong_values_are_refused_by_name() -> None:
    out = bytearray(96)
    for value in (-1, 256, 2**70):
        with pytest.raises(ValueError, match=r"value must be 0\.\.255"):
            cache.fill(out, value)
    for size in (0, 3, 12, 64, 128):
        with pytest.raises(ValueError, match="the pattern must have 1, 2, 4, 8, 16, 32 or 64"):
            cache.fill(out, bytes(size))
    for wrong in (1.5, "x", None):
        with pytest.raises(TypeError, match="value must be an int"):
            cache.fill(out, wrong)  # type: ignore[arg-type]
    for name in ("nontemporal", "demote"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, not 1"):
            cache.copy(out, bytes(96), **{name: 1})
    with pytest.raises(ValueError, match="nontemporal must not be false where the source"):
        cache.copy(out, bytes(96), nontemporal=False, demote=True)
    with pytest.raises(TypeError, match="copy needs the argument src"):
        cache.copy(out)  # type: ignore[call-arg]
    assert out == bytes(96)


@pytest.mark.parametrize("length", [24, 1000, 1 << 16])
def test_every_kind_of_buffer_is_taken_and_given_back(length: int) -> None:
    data = random_bytes(length).tobytes()
    flat = np.frombuffer(data, np.uint8)
    area = mmap.mmap(-1, max(length, 1))
    inputs = [data, bytearray(data), memoryview(data), flat, flat.view(np.uint16).reshape(2, -1)]
    outputs = [
        bytearray(length),
        memoryview(bytearray(length)),
        memoryview(area)[:length],
        np.empty(length, np.uint8),
        np.empty((length // 8, 1, 2), np.float32),
    ]
    before = [sys.getrefcount(item) for item in (*inputs, *outputs)]
    for src in inputs:
        for out in outputs:
            cache.fill(out, 0)
            cache.copy(out, src)
            assert bytes(memoryview(out).cast("B")) == data
    del src, out
    assert [sys.getrefcount(item) for item in (*inputs, *outputs)] == before
    for resizable in (inputs[1], outputs[0]):
        assert isinstance(resizable, bytearray)
        resizable.append(1)  # BufferError while an export is alive


class Emptying:
    """An argument whose use empties the destination."""

    def __init__(self, target: bytearray) -> None:
        self.target = target

    def _empty(self) -> None:
        # Without a GIL the destination is held by then and cannot be resized.
        with contextlib.suppress(BufferError):
            self.target.clear()

    def __index__(self) -> int:
        self._empty()
        return 1

    def __buffer__(self, flags: int) -> memoryview:
        self._empty()
        return memoryview(bytes(64))


def test_a_destination_that_is_emptied_by_converting_the_value_is_seen_as_it_is_then() -> None:
    out = bytearray(1000)
    cache.fill(out, Emptying(out))
    assert out == b""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ in Python came with 3.12")
def test_a_destination_that_is_emptied_by_the_source_is_seen_as_it_is_then() -> None:
    out = bytearray(64)
    try:
        cache.copy(out, Emptying(out))  # type: ignore[arg-type]
    except ValueError as error:
        assert "not 0 and 64" in str(error)


def test_threads_copy_at_the_same_time() -> None:
    size = 4 * MIB
    sources = [np.full(size, value, np.uint8) for value in (1, 2, 3)]
    targets = [np.zeros(size, np.uint8) for _ in sources]

    def work(place: int) -> None:
        for nontemporal in (True, False, True):
            cache.fill(targets[place], 9, nontemporal)
            cache.copy(targets[place], sources[place], nontemporal)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for source, target in zip(sources, targets, strict=True):
        assert np.array_equal(source, target)


def test_beyond_the_cache_at_odd_addresses(tier: str) -> None:
    length = 52 * MIB + 13
    source = np.arange(length // 4 + 16, dtype=np.uint32).view(np.uint8)[3 : length + 3]
    out = np.full(length + 64, CANARY, np.uint8)
    cache.copy(out[5 : length + 5], source)
    cache.copy(bytearray(100), bytes(100), True)  # so that a kernel runs in any case
    assert np.array_equal(out[5 : length + 5], source)
    assert (out[:5] == CANARY).all()
    assert (out[length + 5 :] == CANARY).all()
