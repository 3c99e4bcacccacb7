"""XOR, scan, encode and apply, for each instruction set and size, beside their peers."""

import ctypes
import mmap
import subprocess
import tempfile
import timeit
from pathlib import Path
from typing import ClassVar

import lz4.frame
import numpy as np
import zstandard

from dwcp import delta

from .contestants import TIERS, Calls, Forced
from .states import MIB, State, random_state, sqlite_states, with_changed_lines

# An anonymous map of Python is shared otherwise, and may be written to by others.
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS

_libc = ctypes.CDLL(None)
_libc.memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def xbzrle_bytes(current: State, previous: State) -> int:
    """Bytes that QEMU's XBZRLE takes for the changed pages of 4 KiB, without its page headers.

    For each page: pairs of the lengths of an equal and a changed run, in LEB128, and the changed
    bytes (docs/devel/migration of QEMU, xbzrle).
    """
    total, page, end = 0, -1, 0
    for first, length in delta.changed_regions(current, previous, merge_gap=1).tolist():
        while length > 0:
            if first // 4096 != page:
                page = first // 4096
                end = page * 4096
            count = min(length, (page + 1) * 4096 - first)
            total += (1 if first - end < 128 else 2) + (1 if count < 128 else 2) + count
            end = first = first + count
            length -= count
    return total


class Xor(Calls):
    """XOR of two buffers into a third: bytes-like objects, and arrays as NumPy takes them."""

    params = (TIERS, [64, 1024, 16 << 10, 256 << 10, MIB, 8 * MIB, 64 * MIB])
    param_names = ("tier", "size")
    contestants = ("dwcp", "dwcp_bytes", "numpy")

    def setup(self, tier: str, size: int) -> None:
        self.force(tier)
        a, b = random_state(size), random_state(size)[::-1].copy()
        out = np.empty_like(a)
        self.calls = {
            "dwcp": (delta.xor, (a, b, out)),
            "dwcp_bytes": (delta.xor, (a.tobytes(), b.tobytes(), bytearray(size))),
            "numpy": (np.bitwise_xor, (a, b, out)),
        }

    def volume(self, tier: str, size: int) -> int:
        return size


class Scan(Forced):
    """Comparison of two states that brings the previous one up to date in the same pass.

    memcmp reads the same two streams, of states that are equal, and so to their end: the ceiling.
    """

    params = (TIERS, [256 << 10, 256 * MIB], [0.0, 0.01, 0.1, 0.5])
    param_names = ("tier", "size", "changed_lines")

    def setup(self, tier: str, size: int, share: float) -> None:
        self.force(tier)
        first = random_state(size)
        # Two pairs of each pair are needed: a pass leaves equal states behind.
        self.states = [first, with_changed_lines(first, share)]
        self.previous = first.copy()
        self.same = first.copy()
        self.turn = 0

    def volume(self, tier: str, size: int, share: float) -> int:
        return size

    def time_dwcp(self, tier: str, size: int, share: float) -> None:
        self.turn ^= 1
        delta.update(self.previous, self.states[self.turn])

    def time_memcmp(self, tier: str, size: int, share: float) -> None:
        _libc.memcmp(self.states[0].ctypes.data, self.same.ctypes.data, size)


class EncodeDatabase(Forced):
    """A SQLite database of 64 MB before and after 20 transactions."""

    params = (TIERS,)
    param_names = ("tier",)
    timeout = 300

    def setup(self, tier: str) -> None:
        self.current, self.previous = sqlite_states()
        self.force(tier)
        self.zstd = zstandard.ZstdCompressor(level=3)
        self.difference = np.empty_like(self.current)
        self.encoder = delta.Encoder(self.previous)
        self.turn = 0
        self.folder = tempfile.TemporaryDirectory()
        self.files = [Path(self.folder.name) / name for name in ("previous", "current")]
        for path, state in zip(self.files, (self.previous, self.current), strict=True):
            state.tofile(path)

    def teardown(self, tier: str) -> None:
        super().teardown()
        self.folder.cleanup()

    def volume(self, tier: str) -> int:
        return len(self.current)

    def time_dwcp(self, tier: str) -> None:
        delta.encode(self.current, self.previous)

    def time_dwcp_encoder(self, tier: str) -> None:
        self.turn ^= 1
        self.encoder.encode(self.current if self.turn else self.previous)

    def time_dwcp_zstd(self, tier: str) -> None:
        delta.encode(self.current, self.previous, codec="zstd")

    def time_numpy_xor_lz4(self, tier: str) -> None:
        np.bitwise_xor(self.current, self.previous, out=self.difference)
        lz4.frame.compress(self.difference)

    def time_numpy_xor_zstd_3(self, tier: str) -> None:
        np.bitwise_xor(self.current, self.previous, out=self.difference)
        self.zstd.compress(self.difference)

    def time_zstd_patch_from(self, tier: str) -> None:
        previous, current = self.files
        command = ["zstd", "-q", "-c", "--long=27", f"--patch-from={previous}", str(current)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    def track_ratio(self, tier: str) -> float:
        return len(self.current) / len(delta.encode(self.current, self.previous))

    def track_ratio_zstd(self, tier: str) -> float:
        encoded = delta.encode(self.current, self.previous, codec="zstd")
        return len(self.current) / len(encoded)

    def track_ratio_xbzrle(self, tier: str) -> float:
        return len(self.current) / xbzrle_bytes(self.current, self.previous)


class Encode(Forced):
    """Encoder on a state of which some lines changed, in one byte each."""

    params = (TIERS, [MIB, 64 * MIB], [0.0, 0.01, 0.1])
    param_names = ("tier", "size", "changed_lines")

    def setup(self, tier: str, size: int, share: float) -> None:
        self.force(tier)
        first = random_state(size)
        self.states = [first, with_changed_lines(first, share)]
        self.encoder = delta.Encoder(first)
        self.previous = first.copy()
        self.difference = np.empty_like(first)
        self.turn = 0

    def volume(self, tier: str, size: int, share: float) -> int:
        return size

    def time_dwcp(self, tier: str, size: int, share: float) -> None:
        self.turn ^= 1
        self.encoder.encode(self.states[self.turn])

    def time_numpy_xor_lz4(self, tier: str, size: int, share: float) -> None:
        np.bitwise_xor(self.states[1], self.previous, out=self.difference)
        lz4.frame.compress(self.difference)


class Apply(Forced):
    """A delta of the same states, verified and applied in place."""

    params = Encode.params
    param_names = Encode.param_names

    def setup(self, tier: str, size: int, share: float) -> None:
        self.force(tier)
        first = random_state(size)
        second = with_changed_lines(first, share)
        # The second delta leads back, so that each pass finds the state that it is for.
        self.deltas = [delta.encode(second, first), delta.encode(first, second)]
        self.state = first.copy()
        self.decoder = delta.Decoder(self.state)
        np_state = first.copy()
        self.np_state = np_state
        self.packed = lz4.frame.compress(np.bitwise_xor(first, second))
        self.turn = 1

    def volume(self, tier: str, size: int, share: float) -> int:
        return size

    def time_dwcp(self, tier: str, size: int, share: float) -> None:
        self.turn ^= 1
        self.decoder.apply(self.deltas[self.turn])

    def time_lz4_numpy_xor(self, tier: str, size: int, share: float) -> None:
        difference = np.frombuffer(lz4.frame.decompress(self.packed), dtype=np.uint8)
        np.bitwise_xor(self.np_state, difference, out=self.np_state)


class Dirty:
    """1 GiB of which some pages were written: which, and the delta.

    The others look at all of it. Writing, a byte in each page, is not timed; `write_us` is what a
    first write to a tracked page takes, and `untracked_write_us` any write to such a page.
    """

    params: ClassVar = ([0.0, 0.001, 0.01, 0.1],)
    param_names = ("dirty_pages",)
    number = 1
    repeat = 5
    timeout = 300

    def setup(self, share: float) -> None:
        size = 1 << 30
        self.state = np.frombuffer(mmap.mmap(-1, size, PRIVATE), np.uint8)
        self.state[:] = np.resize(random_state(16 * MIB), size)
        self.previous = self.state.copy()
        self.encoder = delta.Encoder(self.state)
        self.tracker = delta.DirtyTracker(self.state)
        if self.tracker.method != "write-protect":
            raise NotImplementedError(self.tracker.reason)
        self.encoder.encode(self.tracker)
        self.random = np.random.default_rng(1)
        self.count = int(size // 4096 * share)
        self.before(share)

    def teardown(self, _: float) -> None:
        self.tracker.close()

    def volume(self, _: float) -> int:
        return len(self.state)

    def before(self, _: float) -> None:
        """Write to some pages; the encoder and the tracker know all that was before."""
        self.encoder.encode(self.tracker)
        self.places = self.random.choice(len(self.state) // 4096, self.count, replace=False) * 4096
        self.write()

    def write(self) -> None:
        self.state[self.places] += 1

    def time_dwcp_collect(self, _: float) -> None:
        self.tracker.collect()

    def time_dwcp_encode(self, _: float) -> None:
        self.encoder.encode(self.tracker)

    def time_full_compare(self, _: float) -> None:
        delta.changed_regions(self.state, self.previous)

    def time_full_encode(self, _: float) -> None:
        self.encoder.encode(self.state)

    def track_write_us(self, share: float) -> float:
        self.tracker.collect()
        return self.measured_write_us()

    def track_untracked_write_us(self, share: float) -> float:
        self.write()
        return self.measured_write_us()

    def measured_write_us(self) -> float:
        if self.count == 0:
            return 0.0
        return timeit.timeit(self.write, number=1) / self.count * 1e6
