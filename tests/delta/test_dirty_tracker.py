"""The tracker against full scans: whatever changed is among what it tells."""

import errno
import gc
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dwcp import Closed, delta
from dwcp.memory import BufferPool, huge_pages

PAGE = mmap.PAGESIZE
State = NDArray[np.uint8]
Regions = NDArray[np.uint64]


def mapped(size: int) -> State:
    """Zeros in memory of their own, whole pages."""
    return np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)


def uncovered(changed: Regions, told: Regions) -> list[tuple[int, int]]:
    """Changed ranges that are not among those told."""
    missing = []
    for offset, length in changed.tolist():
        at = int(np.searchsorted(told[:, 0], offset, side="right")) - 1
        if at < 0 or told[at].sum() < offset + length:
            missing.append((offset, length))
    return missing


class Follower:
    """Compares what a tracker tells with what a comparison of everything finds."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.tracker = delta.DirtyTracker(state)
        self.then = state.copy()
        self.method = self.tracker.method

    def check(self, *, pages_max: int | None = None) -> None:
        told = self.tracker.collect()
        assert (np.diff(told[:, 0].astype(np.int64)) > told[:-1, 1].astype(np.int64)).all()
        changed = delta.changed_regions(self.state, self.then)
        assert uncovered(changed, told) == []
        assert self.tracker.method == self.method
        if pages_max is not None and self.method == "write-protect":
            edges = len(self.state) - self.tracker.tracked_bytes
            assert told[:, 1].sum() <= pages_max * PAGE + edges
        self.then = self.state.copy()


@pytest.fixture
def needs_tracking() -> None:
    tracker = delta.DirtyTracker(mapped(PAGE))
    if tracker.method != "write-protect":
        pytest.skip(tracker.reason)


def kernel_tracks() -> bool:
    version = os.uname().release.split(".")
    seccomp = [
        line for line in Path("/proc/self/status").read_text().splitlines() if "Seccomp:" in line
    ]
    return (int(version[0]), int(version[1])) >= (6, 7) and seccomp[0].split()[1] == "0"


@pytest.mark.heavy  # emulators, which leave these out, do not pass the call on
@pytest.mark.skipif(not kernel_tracks(), reason="the kernel is older than 6.7, or seccomp is on")
def test_pages_are_tracked_where_the_kernel_can() -> None:
    state = mapped(10 * PAGE)
    with delta.DirtyTracker(state) as tracker:
        assert (tracker.method, tracker.reason) == ("write-protect", "")
        assert tracker.tracked_bytes == len(state)
        assert tracker.collect().tolist() == []
        state[PAGE] = 1
        assert tracker.collect().tolist() == [[PAGE, PAGE]]


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(0, 40 * PAGE),
    offset=st.integers(0, 2 * PAGE),
    rounds=st.lists(
        st.lists(st.tuples(st.integers(0, 2**30), st.integers(1, 10_000)), max_size=6), max_size=5
    ),
)
def test_whatever_numpy_writes_is_told(
    size: int, offset: int, rounds: list[list[tuple[int, int]]]
) -> None:
    follower = Follower(mapped(size + offset + 1)[offset : offset + size])
    for number, writes in enumerate(rounds):
        pages = 0
        for at, length in writes:
            if size:
                part = follower.state[at % size :][:length]
                part += number + 1
                pages += (len(part) + PAGE - 2) // PAGE + 1
        follower.check(pages_max=pages)
    follower.tracker.close()


@pytest.mark.parametrize("size", [1 << 20, 300_001])
def test_whatever_threads_write_is_told(size: int) -> None:
    state = mapped(size)
    threads_count, rounds = 4, 30
    encoder = delta.Encoder(state, block_size=65_536)
    tracker = delta.DirtyTracker(state)
    replica = state.copy()
    stop = threading.Event()

    def write(seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not stop.is_set():
            at = int(rng.integers(0, size))
            state[at : at + int(rng.integers(1, 9000))] = rng.integers(0, 256)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(threads_count)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(rounds):
            delta.apply(encoder.encode(tracker), replica)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    delta.apply(encoder.encode(tracker), replica)
    assert (replica == state).all()


def test_what_system_calls_write_is_told(tmp_path: Path) -> None:
    follower = Follower(mapped(64 * PAGE))
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3 * PAGE))
    with path.open("rb", buffering=0) as file:
        for at in (0, 5 * PAGE - 1, 40 * PAGE):
            file.seek(0)
            assert file.readinto(follower.state.data[at : at + 2 * PAGE]) == 2 * PAGE
            follower.check(pages_max=3)
    reader, writer = os.pipe()
    os.write(writer, bytes(range(256)) * 8)
    memory = follower.state.data
    os.readv(reader, [memory[PAGE * 9 - 5 :][:10], memory[PAGE * 20 :][:100]])
    follower.check(pages_max=3)
    os.close(reader)
    os.close(writer)


def test_what_another_process_writes_into_the_memory_is_told() -> None:
    follower = Follower(mapped(8 * PAGE))
    address = follower.state.ctypes.data + 3 * PAGE - 2
    code = f"""
        import ctypes, os, sys
        class Piece(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
        text = ctypes.create_string_buffer(b"abcd", 4)
        here, there = Piece(ctypes.addressof(text), 4), Piece({address}, 4)
        libc = ctypes.CDLL(None, use_errno=True)
        pieces = ctypes.byref(here), 1, ctypes.byref(there), 1
        done = libc.process_vm_writev({os.getpid()}, *pieces, 0)
        sys.exit(0 if done == 4 else ctypes.get_errno())
    """
    status = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False).returncode
    if status in (errno.EPERM, errno.ENOSYS):
        pytest.skip("process_vm_writev is forbidden here")
    assert status == 0
    assert follower.state[3 * PAGE - 2 :][:4].tobytes() == b"abcd"
    follower.check(pages_max=2)


def test_after_a_fork_each_process_is_told_of_its_own_writes() -> None:
    follower = Follower(mapped(16 * PAGE))
    follower.state[PAGE] = 1
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert follower.tracker.collect().tolist() == [[0, 16 * PAGE]]
            follower.then = follower.state.copy()
            follower.state[7 * PAGE] = 1
            follower.check(pages_max=1)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    follower.state[2 * PAGE] = 1
    follower.check(pages_max=2)
    follower.check(pages_max=0)


def test_a_child_that_ends_leaves_its_parent_tracking() -> None:
    follower = Follower(mapped(4 * PAGE))
    for _ in range(3):
        child = os.fork()
        if child == 0:
            follower.tracker.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        follower.state[PAGE] += 1
        follower.check(pages_max=1)


@contextmanager
def reserved_huge_pages(count: int) -> Iterator[None]:
    setting = Path("/proc/sys/vm/nr_hugepages")
    try:
        before = setting.read_text()
        setting.write_text(str(int(before) + count))
    except OSError as error:
        pytest.skip(f"huge pages cannot be reserved: {error}")
    try:
        yield
    finally:
        setting.write_text(before)


@pytest.mark.parametrize("reserved", [False, True])
def test_whatever_is_written_to_huge_pages_is_told(reserved: bool) -> None:
    def follow() -> None:
        memory = huge_pages.allocate(8 << 20)
        if reserved and memory.kind != "hugetlb":
            pytest.skip(memory.reason)
        state = np.asarray(memory)
        # A part of them, so that the edges do not begin with a huge page.
        for part in (state, state[PAGE + 5 : -77]):
            follower = Follower(part)
            rng = np.random.default_rng(1)
            for _ in range(10):
                for at in rng.integers(0, len(part), 5):
                    part[at : at + 100] += 1
                follower.check()
            assert follower.tracker.tracked_bytes > 0 or follower.tracker.reason
            follower.tracker.close()

    if reserved:
        with reserved_huge_pages(4):
            follow()
            gc.collect()
    else:
        follow()


def test_buffers_of_a_pool_of_a_page_and_more_are_tracked_in_full(needs_tracking: None) -> None:
    pool = BufferPool()
    for size in (4096, 5000, 65_536, 1 << 20, 3 << 20):
        with pool.get(size) as buffer:
            state = np.asarray(buffer)
            tracker = delta.DirtyTracker(state)
            assert tracker.tracked_bytes == size // PAGE * PAGE
            tracker.collect()
            state[:] = 3
            told = tracker.collect()
            assert told[0, 0] == 0
            assert told[:, 1].sum() == size
            tracker.close()
            del state


def test_shared_memory_and_files_are_scanned_in_full_unless_exclusive(needs_tracking: None) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(4 * PAGE)
        for area, private in (
            (mmap.mmap(-1, 4 * PAGE), False),
            (mmap.mmap(file.fileno(), 4 * PAGE), False),
            (mmap.mmap(file.fileno(), 4 * PAGE, mmap.MAP_PRIVATE), True),
        ):
            tracker = delta.DirtyTracker(area)
            assert tracker.method == "full-scan"
            assert ("file" if private else "shared") in tracker.reason
            for _ in range(2):
                assert tracker.collect().tolist() == [[0, 4 * PAGE]]
            tracker.close()
            area.close()
    area = mmap.mmap(-1, 4 * PAGE)
    with delta.DirtyTracker(area, exclusive=True) as tracker:
        assert tracker.method == "write-protect"
        area[PAGE] = 1
        assert tracker.collect().tolist() == [[PAGE, PAGE]]


def test_a_state_of_several_buffers_is_told_by_its_offsets() -> None:
    parts = [mapped(3 * PAGE), mapped(10)[:5], mapped(2 * PAGE)]
    offsets = [0, 3 * PAGE + 64, 5 * PAGE]
    tracker = delta.DirtyTracker(parts, offsets=offsets)
    tracker.collect()
    parts[2][PAGE] = 1
    told = tracker.collect().tolist()
    if tracker.method == "write-protect":
        assert told == [[3 * PAGE + 64, 5], [6 * PAGE, PAGE]]
        assert "whole page" in tracker.reason
    encoder = delta.Encoder(parts, offsets=offsets)
    replica = bytearray(encoder.state)
    delta.apply(encoder.encode(tracker), replica)
    parts[1][2] = 7
    parts[0][0] = 9
    delta.apply(encoder.encode(tracker), replica)
    assert encoder.changed_bytes == 2
    assert bytes(replica) == bytes(encoder.state)
    assert replica[3 * PAGE + 66] == 7


def test_what_is_marked_is_told_once() -> None:
    tracker = delta.DirtyTracker(mapped(8 * PAGE))
    tracker.collect()
    tracker.mark(PAGE + 10, 20)
    tracker.mark(PAGE + 30, 1)
    tracker.mark(PAGE, 0)
    if tracker.method == "write-protect":
        assert tracker.collect().tolist() == [[PAGE + 10, 21]]
        assert tracker.collect().tolist() == []
    for offset, length in ((0, 8 * PAGE + 1), (8 * PAGE, 1), (2**64 - 1, 2)):
        with pytest.raises(ValueError, match="offset and length"):
            tracker.mark(offset, length)
    with pytest.raises(TypeError):
        tracker.mark(-1, 1)


def test_a_closed_tracker_refuses_and_lets_the_memory_go() -> None:
    state = bytearray(100_000)
    tracker = delta.DirtyTracker(state)
    with pytest.raises(BufferError):
        state.append(1)
    tracker.close()
    tracker.close()
    state.append(1)
    for call in (tracker.collect, lambda: tracker.mark(0, 1), lambda: tracker.method):
        with pytest.raises(Closed):
            call()
    with pytest.raises(Closed):
        delta.Encoder(bytes(state)).encode(tracker)


@pytest.mark.parametrize("state", [5, None, "text", np.zeros((4, 4))[:, ::2], [b"a", 3]])
def test_what_is_no_buffer_is_refused(state: object) -> None:
    with pytest.raises((TypeError, BufferError), match=r"state|contiguous"):
        delta.DirtyTracker(state)  # type: ignore[arg-type]


def test_an_encoder_refuses_a_tracker_of_another_layout() -> None:
    encoder = delta.Encoder(bytes(5000))
    with pytest.raises(ValueError, match="lengths and offsets"):
        encoder.encode(delta.DirtyTracker(bytes(5001)))


def test_an_encoder_that_is_one_of_two_compares_everything() -> None:
    state = mapped(32 * PAGE)
    tracker = delta.DirtyTracker(state)
    encoders = [delta.Encoder(state) for _ in range(2)]
    replicas = [state.copy() for _ in range(2)]
    rng = np.random.default_rng(2)
    for i in range(12):
        state[rng.integers(0, len(state), 3)] += 1
        one = i % 3 % 2
        delta.apply(encoders[one].encode(tracker), replicas[one])
        assert (replicas[one] == state).all()


LIMITED = """
import ctypes, mmap, os, resource, struct
import numpy as np
from dwcp import delta

state = np.frombuffer(mmap.mmap(-1, 40960, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
{limit}
tracker = delta.DirtyTracker(state)
assert tracker.method == "full-scan", tracker.method
assert tracker.collect().tolist() == [[0, 40960]]
assert tracker.collect().tolist() == [[0, 40960]]
print(tracker.reason)
"""
FEW_FILES = "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"
# A filter of classic BPF: system call 323 is userfaultfd on x86-64; the others pass.
FORBIDDEN = """
libc = ctypes.CDLL(None, use_errno=True)
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 323), (6, 0, 0, 0x00050000 | {error}), (6, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
memory = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(memory))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter names a number of x86-64")
@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (FORBIDDEN.format(error=errno.EPERM), "seccomp"),
        (FORBIDDEN.format(error=errno.ENOSYS), "Linux"),
        (FEW_FILES, "ulimit -n"),
    ],
)
def test_where_the_kernel_refuses_everything_counts_as_written(limit: str, reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(limit=limit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert reason in done.stdout


NOBODY = """
import ctypes
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
"""
TRACEABLE = "assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_process_without_privileges_can_track(needs_tracking: None) -> None:
    code = LIMITED.split("assert")[0].format(limit=NOBODY + TRACEABLE) + textwrap.dedent("""
        assert tracker.method == "write-protect", tracker.reason
        assert open("/proc/self/status").read().split("CapEff:")[1].split()[0] == "0" * 16
        state[5000] = 1
        assert tracker.collect().tolist() == [[4096, 4096]]
    """)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_process_that_may_not_be_traced_counts_everything_as_written() -> None:
    code = LIMITED.format(limit=NOBODY)
    run = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
    assert b"PR_SET_DUMPABLE" in run.stdout or b"userfaultfd" in run.stdout


def test_descriptors_are_given_back() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()
    before = count()
    for _ in range(50):
        state = mapped(2 * PAGE)
        with delta.DirtyTracker(state) as tracker:
            tracker.collect()
        delta.DirtyTracker(state).collect()
    gc.collect()
    assert count() == before


def test_a_signal_during_collect_loses_nothing() -> None:
    state = mapped(4096 * PAGE)
    follower = Follower(state)
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        rng = np.random.default_rng(3)
        for _ in range(40):
            state[rng.integers(0, len(state), 50)] += 1
            follower.check(pages_max=50)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
