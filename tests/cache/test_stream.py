"""Chunks of buffers and mappings."""

import ctypes
import errno
import gc
import mmap
import os
import re
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwcp import cache

MIB = 1 << 20
PAGE = mmap.PAGESIZE


@given(
    st.binary(max_size=400),
    st.integers(1, 500),
    st.integers(0, 5),
    st.none() | st.integers(1, 500),
)
def test_chunks_are_slices_of_the_data_in_their_order(
    data: bytes, chunk: int, distance: int, stride: int | None
) -> None:
    found = [bytes(part) for part in cache.stream(data, chunk, distance=distance, stride=stride)]
    assert found == [data[at : at + chunk] for at in range(0, len(data), stride or chunk)]


@pytest.mark.parametrize("chunk", [0, -1, -(2**70), 2**63])
def test_a_chunk_of_nothing_is_refused_at_once(chunk: int) -> None:
    with pytest.raises(ValueError, match="chunk must be 1 to"):
        cache.stream(b"abc", chunk)
    with pytest.raises(ValueError, match="stride must be 1 to"):
        cache.stream(b"abc", 1, stride=chunk)


def test_other_bounds_and_types_are_refused_by_name() -> None:
    for distance in (-1, 1025):
        with pytest.raises(ValueError, match="distance must be 0 to 1024"):
            cache.stream(b"abc", 1, distance=distance)
    for wrong in (1.5, "1", None):
        with pytest.raises(TypeError):
            cache.stream(b"abc", wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        cache.stream("abc", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        cache.stream(None, 1)  # type: ignore[arg-type]
    with pytest.raises(BufferError, match="data must be a C-contiguous"):
        cache.stream(np.zeros((4, 4))[:, ::2], 1)


def test_chunks_of_writable_data_are_writable_and_others_not() -> None:
    area = np.zeros((10, 10), np.uint16)
    for number, part in enumerate(cache.stream(area, 50)):
        assert (part.format, part.ndim, part.readonly) == ("B", 1, False)
        part[:] = bytes([number]) * 50
    assert area.tobytes() == b"".join(bytes([number]) * 50 for number in range(4))
    assert all(part.readonly for part in cache.stream(b"abc", 2))


def test_chunks_keep_the_data_when_the_stream_goes_early() -> None:
    class Array(np.ndarray[Any, Any]):
        pass

    data = np.arange(1000, dtype=np.uint8).view(Array)
    gone = weakref.ref(data)
    stream = cache.stream(data, 100)
    kept = [next(stream), next(stream)]
    del data, stream
    assert bytes(kept[1]) == bytes(range(100, 200))
    assert gone() is not None
    kept.clear()
    assert gone() is None


def test_the_data_are_free_when_stream_and_chunks_are_gone() -> None:
    data = bytearray(100)
    stream = cache.stream(data, 10)
    with pytest.raises(BufferError):
        data.append(1)
    part = next(stream)
    del stream
    with pytest.raises(BufferError):
        data.append(1)
    del part
    data.append(1)
    area = mmap.mmap(-1, 10 * PAGE)
    for chunk in cache.stream(area, PAGE):
        del chunk
        break
    area.close()


def test_an_exception_in_the_body_leaves_nothing_behind() -> None:
    data = bytearray(100)

    def work() -> None:
        for part in cache.stream(data, 10):
            raise RuntimeError(bytes(part))

    with pytest.raises(RuntimeError) as caught:
        work()
    assert caught.value.args == (bytes(10),)
    caught.value.__traceback__ = None
    del caught
    data.append(1)


def test_a_stream_that_ended_stays_ended_and_tells_how_much_is_left() -> None:
    stream = cache.stream(bytes(25), 10)
    assert iter(stream) is stream
    for left in (3, 2, 1):
        assert stream.__length_hint__() == left
        next(stream)
    for _ in range(3):
        assert stream.__length_hint__() == 0
        with pytest.raises(StopIteration):
            next(stream)
    assert len(list(cache.stream(b"abc", np.int64(2), distance=np.uint8(3)))) == 2
    assert list(cache.stream(b"", 10)) == []
    assert list(cache.stream(np.empty((0, 3)), 10)) == []


def test_a_stream_in_a_cycle_is_collected() -> None:
    class Array(np.ndarray[Any, Any]):
        stream: Any

    data = np.zeros(100, np.uint8).view(Array)
    data.stream = cache.stream(data, 10)
    next(data.stream)
    gone = weakref.ref(data)
    del data
    gc.collect()
    assert gone() is None


def test_threads_share_a_stream_and_each_chunk_goes_to_one() -> None:
    count = 20_000
    stream = cache.stream(np.arange(count, dtype=np.uint32), 4)
    found: list[list[int]] = [[] for _ in range(4)]

    def work(own: list[int]) -> None:
        own.extend(int.from_bytes(part, "little") for part in stream)

    threads = [threading.Thread(target=work, args=(own,)) for own in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for own in found for number in own) == list(range(count))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(np.random.default_rng(1).bytes(24 * MIB + 100))
    return path


def is_sequential(array: Any) -> bool:
    """Whether the kernel takes this memory to be read from begin to end."""
    place, here = np.frombuffer(array, np.uint8).ctypes.data, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        bounds = re.match("([0-9a-f]+)-([0-9a-f]+) ", line)
        if bounds is not None:
            here = int(bounds[1], 16) <= place < int(bounds[2], 16)
        elif here and line.startswith("VmFlags:"):
            return "sr" in line.split()
    return False


def test_of_mappings_of_files_the_kernel_is_told_that_they_are_read_in_order(file: Path) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as area:
        for data in (area, memoryview(area), np.frombuffer(area, np.uint8)[10:]):
            stream = cache.stream(data, 100_000)
            assert (stream.advised_bytes, is_sequential(area)) == (0, False)
            first = bytes(next(stream))
            assert first == bytes(data[:100_000])
            assert stream.advised_bytes == memoryview(data).nbytes
            assert is_sequential(area)
            assert first + b"".join(stream) == bytes(data)
            assert stream.refusal is None
            del stream
            assert not is_sequential(area)
            del data
    mapped = np.memmap(file, np.uint8, "r")
    for part in cache.stream(mapped, MIB):
        assert is_sequential(part)
        break
    assert not is_sequential(part)
    stream = cache.stream(mapped, MIB, advise=False)
    assert sum(map(len, stream)) == file.stat().st_size
    assert (stream.advised_bytes, is_sequential(mapped)) == (0, False)


def test_of_chunks_that_lie_apart_the_kernel_is_asked_for_some_ahead(file: Path) -> None:
    mapped = np.memmap(file, np.uint8, "r")
    for distance, chunks in ((1, 5), (4, 5), (10, 11)):
        stream = cache.stream(mapped, PAGE, stride=MIB, distance=distance)
        next(stream)
        assert stream.advised_bytes == chunks * PAGE
        assert sum(map(len, stream)) == 23 * PAGE + 100
        assert stream.advised_bytes == 24 * PAGE + 100
        assert stream.refusal is None


def test_memory_that_is_no_mapping_is_not_advised() -> None:
    for data in (bytes(10 * MIB), np.zeros(10 * MIB, np.uint8), memoryview(bytearray(10))):
        stream = cache.stream(data, 1000)
        next(stream)
        assert stream.advised_bytes == 0
        assert stream.refusal is None


def in_memory(address: int, size: int) -> np.ndarray:
    """Which pages are, one byte for each."""
    pages = np.zeros(-(-size // PAGE), np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    if libc.mincore(address, size, pages.ctypes.data) != 0:
        raise OSError(ctypes.get_errno(), "mincore")
    return pages & 1


def test_what_the_kernel_was_asked_for_comes_before_it_is_used(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    mapped = np.memmap(file, np.uint8, "r")
    # The last chunk, which lies behind what the kernel reads by itself with the first ones.
    ahead = mapped[23 * MIB : 23 * MIB + (64 << 10)]
    address = ahead.ctypes.data // PAGE * PAGE
    if in_memory(address, len(ahead)).any():
        pytest.skip("the file system keeps the file in memory")
    stream = cache.stream(mapped, 64 << 10, stride=MIB, distance=100)
    next(stream)
    # The kernel reads meanwhile; nothing here does.
    deadline = time.monotonic() + 30
    while not in_memory(address, len(ahead)).all():
        assert time.monotonic() < deadline, "nothing was read ahead"
        time.sleep(0.001)


@pytest.mark.parametrize("stride", [None, 1])
def test_a_refusal_is_kept_and_the_chunks_come_all_the_same(stride: int | None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    address = libc.mmap(None, 2 * PAGE, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANON, -1, 0)
    # The kernel refuses to hear of memory that is not there; only the first page is read.
    assert libc.munmap(address + PAGE, PAGE) == 0
    memory = (ctypes.c_char * (2 * PAGE)).from_address(address)
    stream = cache.stream(memory, PAGE, stride=stride, advise=True)
    assert stream.refusal is None
    assert bytes(next(stream)) == bytes(PAGE)
    assert isinstance(stream.refusal, OSError)
    assert stream.refusal.errno == errno.ENOMEM
    assert stream.advised_bytes == 0
    next(stream)
    del stream
    assert libc.munmap(address, PAGE) == 0
