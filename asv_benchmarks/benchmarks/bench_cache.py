"""Copies, fills, rows and pieces of tables, chunks and counters, beside NumPy and plain Python."""

import itertools
import mmap
import operator
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dwcp import cache, checksum
from dwcp.memory import huge_pages

from .contestants import TIERS, Calls, Contest, Running

KIB, MIB = 1 << 10, 1 << 20
SIZES = [4 * KIB, 64 * KIB, MIB, 8 * MIB, 32 * MIB, 64 * MIB, 256 * MIB]


class Copy(Calls):
    """One buffer copied to another."""

    params = (TIERS, SIZES)
    param_names = ("tier", "size")
    contestants = ("dwcp", "numpy_copyto", "memoryview")

    def setup(self, tier: str, size: int) -> None:
        self.force(tier)
        src = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        dst = np.zeros(size, np.uint8)
        whole = slice(None)
        self.calls = {
            "dwcp": (cache.copy, (dst, src)),
            "numpy_copyto": (np.copyto, (dst, src)),
            "memoryview": (operator.setitem, (memoryview(dst), whole, memoryview(src))),
        }

    def volume(self, _: str, size: int) -> int:
        return size


class Fill(Calls):
    """A buffer filled with one byte."""

    params = (TIERS, SIZES)
    param_names = ("tier", "size")
    contestants = ("dwcp", "numpy_fill")

    def setup(self, tier: str, size: int) -> None:
        self.force(tier)
        dst = np.zeros(size, np.uint8)
        self.calls = {"dwcp": (cache.fill, (dst, 7)), "numpy_fill": (dst.fill, (7,))}

    def volume(self, _: str, size: int) -> int:
        return size


class FillFloat64(Fill):
    """An array filled with a number of eight bytes."""

    def setup(self, tier: str, size: int) -> None:
        self.force(tier)
        dst = np.zeros(size // 8)
        self.calls = {
            "dwcp": (cache.fill, (dst, np.float64(1.5))),
            "numpy_fill": (dst.fill, (1.5,)),
        }


class LeftInCache:
    """64 MiB copied or filled, and then other data read that were in the cache before.

    The times are those of both; what reading took alone, in microseconds, is tracked.
    """

    params: ClassVar = (["copy", "copy_demoting", "fill"], [256 * KIB, MIB])
    param_names = ("work", "other_bytes")

    def setup(self, work: str, other_bytes: int) -> None:
        random = np.random.default_rng(1)
        self.src = random.integers(0, 256, 64 * MIB, np.uint8)
        self.dst = np.zeros_like(self.src)
        self.other = random.integers(0, 256, other_bytes, np.uint8)
        options = {"demote": True} if work == "copy_demoting" else {}
        self.ours: Callable[[], Any] = lambda: cache.copy(self.dst, self.src, True, **options)
        self.numpy: Callable[[], Any] = lambda: np.copyto(self.dst, self.src)
        if work == "fill":
            self.ours = lambda: cache.fill(self.dst, 7, True)
            self.numpy = lambda: self.dst.fill(7)

    def volume(self, *_: Any) -> int:
        return 64 * MIB

    def read(self) -> None:
        checksum.xxh3_64(self.other)

    def time_dwcp(self, *_: Any) -> None:
        self.ours()
        self.read()

    def time_numpy(self, *_: Any) -> None:
        self.numpy()
        self.read()

    def reading(self, before: Callable[[], Any]) -> float:
        """Microseconds, the median of several."""
        times = []
        for _ in range(9):
            self.read()
            self.read()
            before()
            start = time.perf_counter()
            self.read()
            times.append(time.perf_counter() - start)
        return float(np.median(times)) * 1e6

    def track_us_after_dwcp(self, *_: Any) -> float:
        return self.reading(self.ours)

    def track_us_after_numpy(self, *_: Any) -> float:
        return self.reading(self.numpy)

    def track_us_after_nothing(self, *_: Any) -> float:
        return self.reading(lambda: None)


TABLE_BYTES = 64 * MIB


class Gather:
    """Rows from all over a table of 64 MiB."""

    params: ClassVar = ([16, 64, 256, 1024], [16 * MIB, 64 * MIB])
    param_names = ("row", "result")

    def setup(self, row: int, result: int) -> None:
        random = np.random.default_rng(1)
        self.table = random.integers(0, 256, (TABLE_BYTES // row, row), np.uint8)
        self.rows = random.integers(0, len(self.table), result // row)
        self.out = np.empty((len(self.rows), row), np.uint8)

    def volume(self, _: int, result: int) -> int:
        return result

    def time_dwcp(self, *_: int) -> None:
        cache.gather(self.table, self.rows, self.out)

    def time_dwcp_new(self, *_: int) -> None:
        cache.gather(self.table, self.rows)

    def time_numpy_take(self, *_: int) -> None:
        np.take(self.table, self.rows, axis=0, out=self.out, mode="clip")

    def time_numpy_take_checked(self, *_: int) -> None:
        np.take(self.table, self.rows, axis=0, out=self.out)

    def time_numpy_take_new(self, *_: int) -> None:
        np.take(self.table, self.rows, axis=0)

    def time_numpy_index(self, *_: int) -> None:
        self.table[self.rows]


class GatherStrided:
    """One column of a table of 64 MiB, in numbers of eight bytes."""

    params: ClassVar = ([64, 512, 4096, 8192],)
    param_names = ("stride",)

    def setup(self, stride: int) -> None:
        self.column = np.zeros((TABLE_BYTES // stride, stride // 8))[:, 1]
        self.out = np.empty(len(self.column))

    def volume(self, stride: int) -> int:
        return TABLE_BYTES // stride * 8

    def time_dwcp(self, _: int) -> None:
        cache.gather_strided(self.column, self.out)

    def time_numpy_copyto(self, _: int) -> None:
        np.copyto(self.out, self.column)


class HugePages:
    """16 MiB of rows of 64 bytes from all over a table, on huge pages and on plain ones."""

    params: ClassVar = ([TABLE_BYTES, 1 << 30],)
    param_names = ("table",)

    def setup(self, table: int) -> None:
        # NumPy asks for huge pages by itself.
        plain = mmap.mmap(-1, table, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        plain.madvise(mmap.MADV_NOHUGEPAGE)
        self.plain = np.frombuffer(plain, np.uint8).reshape(-1, 64)
        self.huge = np.frombuffer(huge_pages.allocate(table), np.uint8).reshape(-1, 64)
        for pages in (self.plain, self.huge):
            pages[:] = 1
        self.rows = np.random.default_rng(1).integers(0, len(self.plain), 16 * MIB // 64)
        self.out = cache.aligned_empty((len(self.rows), 64), np.uint8)

    def volume(self, _: int) -> int:
        return 16 * MIB

    def time_dwcp(self, _: int) -> None:
        cache.gather(self.huge, self.rows, self.out)

    def time_plain_pages(self, _: int) -> None:
        cache.gather(self.plain, self.rows, self.out)

    def time_numpy_take(self, _: int) -> None:
        np.take(self.huge, self.rows, axis=0, out=self.out, mode="clip")

    def time_numpy_take_plain_pages(self, _: int) -> None:
        np.take(self.plain, self.rows, axis=0, out=self.out, mode="clip")


def slices(data: Any, chunk: int, stride: int) -> Iterator[memoryview]:
    """What stream() does, without fetching anything ahead."""
    view = memoryview(data)
    for at in range(0, len(view), stride):
        yield view[at : at + chunk]


class Stream:
    """Chunks of 64 MiB, of each of which the checksum is taken."""

    params: ClassVar = ([4 * KIB, 64 * KIB, MIB],)
    param_names = ("chunk",)

    def setup(self, _: int) -> None:
        self.data = np.random.default_rng(1).integers(0, 256, 64 * MIB, np.uint8)

    def volume(self, _: int) -> int:
        return len(self.data)

    def time_dwcp(self, chunk: int) -> None:
        for part in cache.stream(self.data, chunk):
            checksum.crc32c(part)

    def time_slices(self, chunk: int) -> None:
        for part in slices(self.data, chunk, chunk):
            checksum.crc32c(part)


FILE_BYTES = 256 * MIB


class MappedFile:
    """Chunks of 64 KiB of a mapped file that is not in memory, each with its checksum.

    All of them, or one in so many, which the kernel does not foresee by itself.
    """

    params: ClassVar = ([16, 1],)
    param_names = ("one_in",)

    def setup(self, _: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "data"
        self.path.write_bytes(np.random.default_rng(1).bytes(FILE_BYTES))
        self.file = os.open(self.path, os.O_RDONLY)
        os.fsync(self.file)

    def teardown(self, _: int) -> None:
        os.close(self.file)
        self.folder.cleanup()

    def volume(self, one_in: int) -> int:
        return FILE_BYTES // one_in

    def mapped(self) -> mmap.mmap:
        os.posix_fadvise(self.file, 0, 0, os.POSIX_FADV_DONTNEED)
        return mmap.mmap(self.file, 0, prot=mmap.PROT_READ)

    def time_dwcp(self, one_in: int) -> None:
        stride = one_in * 64 * KIB
        for part in cache.stream(self.mapped(), 64 * KIB, stride=stride, distance=8):
            checksum.crc32c(part)

    def time_slices(self, one_in: int) -> None:
        for part in slices(self.mapped(), 64 * KIB, one_in * 64 * KIB):
            checksum.crc32c(part)


class Adding(Running):
    """Threads that add, each so many times; `make` gives each what it calls."""

    def __init__(self, make: Callable[[int], Callable[[], object]], threads: int) -> None:
        self.calls = [make(place) for place in range(threads)]

    def run(self, count: int) -> None:
        def work(call: Callable[[], object]) -> None:
            for _ in repeat(None, count // len(self.calls)):
                call()

        threads = [threading.Thread(target=work, args=(call,)) for call in self.calls[1:]]
        for thread in threads:
            thread.start()
        work(self.calls[0])
        for thread in threads:
            thread.join()


class Locked:
    """A number behind a lock."""

    def __init__(self) -> None:
        self.lock, self.number = threading.Lock(), 0

    def add(self) -> None:
        with self.lock:
            self.number += 1


class Counters(Contest):
    """Threads that add to one counter, or each to its own of several.

    With the GIL they take turns, and lines that they share or do not share make no difference:
    what that costs threads which run at once is shown by bench_cache in C++.
    """

    contestants = ("dwcp_shared", "dwcp_own", "itertools_count", "lock")
    params: ClassVar = ([1, 2],)
    param_names = ("threads",)
    item = "addition"
    count = 20_000

    def setup(self, threads: int) -> None:
        shared, own = cache.PaddedCounter(), cache.PaddedCounters(threads)
        number, locked = itertools.count(), Locked()
        make: dict[str, Callable[[int], Callable[[], object]]] = {
            "dwcp_shared": lambda _: shared.add,
            "dwcp_own": lambda place: partial(own.add, place),
            "itertools_count": lambda _: number.__next__,
            "lock": lambda _: locked.add,
        }
        self.running = {name: Adding(each, threads) for name, each in make.items()}
