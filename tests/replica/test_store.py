"""The replica on disk: what readers, a killed process and a full disk see."""

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dwcp import Error, checksum, delta
from dwcp.replica import FileStore, Identity, Publisher, Replica, open_snapshot
from dwcp.replica import store as store_module

from .conftest import TIMEOUT, namespace_command


def identity(state: np.ndarray, sequence: int) -> Identity:
    return Identity(1, sequence, checksum.crc64nvme(state), len(state))


def changed(state: np.ndarray, position: int) -> tuple[np.ndarray, np.ndarray]:
    """The next state and the regions of the delta to it."""
    following = state.copy()
    following[position : position + 100] += 1
    return following, delta.regions(delta.encode(following, state))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copy.bin"


def test_states_are_loaded_again(path: Path) -> None:
    state = np.arange(3_000_000, dtype=np.uint32).view(np.uint8)
    store = FileStore(path)
    assert store.load() is None
    store.replace(state, identity(state, 1))
    for sequence in range(2, 6):
        state, regions = changed(state, sequence * 1000)
        store.update(state, identity(state, sequence), regions)
        assert path.read_bytes() == state.tobytes()
    store.close()
    again = FileStore(path)
    loaded = again.load()
    assert loaded is not None
    assert (loaded[0] == state).all()
    assert loaded[1] == identity(state, 5)
    state, regions = changed(state, 0)
    again.update(state, identity(state, 6), regions)
    assert path.read_bytes() == state.tobytes()
    again.close()


def test_cost_of_an_update_is_that_of_the_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = np.ones(8 << 20, dtype=np.uint8)
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    state, regions = changed(state, 0)
    store.update(state, identity(state, 2), regions)
    written: list[int] = []
    real = os.pwrite

    def counting(fd: int, data: memoryview, offset: int) -> int:
        written.append(len(data))
        return real(fd, data, offset)

    monkeypatch.setattr(store_module.os, "pwrite", counting)
    state, regions = changed(state, 5_000_000)
    store.update(state, identity(state, 3), regions)
    # This change and the one before it, which the second copy had not seen.
    assert sum(written) == 200
    assert path.read_bytes() == state.tobytes()
    store.close()


def test_zeros_stay_holes(path: Path) -> None:
    state = np.zeros(64 << 20, dtype=np.uint8)
    state[-1] = 1
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    assert path.stat().st_size == len(state)
    assert path.stat().st_blocks * 512 <= 2 << 20
    store.close()


def test_foreign_and_damaged_files_are_not_trusted(path: Path) -> None:
    path.write_bytes(b"somebody else's")
    store = FileStore(path)
    assert store.load() is None
    assert path.read_bytes() == b"somebody else's"
    state = np.arange(256, dtype=np.uint8)
    store.replace(state, identity(state, 1))
    store.close()
    with path.open("r+b") as file:
        file.write(b"!")
    again = FileStore(path)
    assert again.load() is None
    again.close()


def test_notes_with_a_flipped_bit_are_not_believed(path: Path) -> None:
    """The digest finds a damaged file; only their own checksum finds another sequence or schema."""
    state = np.arange(256, dtype=np.uint8)
    notes = path.parent / ".copy.bin.dwcp-state"
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    good = notes.read_bytes()
    assert store.load() is not None
    for position in range(len(good)):
        notes.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        assert store.load() is None, position
    store.close()


def test_same_bytes_published_again_are_the_later_state(path: Path) -> None:
    state = np.arange(256, dtype=np.uint8)
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    store.update(state, identity(state, 2), np.empty((0, 2), dtype=np.uint64))
    loaded = store.load()
    assert loaded is not None
    assert loaded[1].sequence == 2
    store.close()


def test_link_is_followed_to_the_file_and_its_lock(tmp_path: Path) -> None:
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    real.parent.mkdir()
    link.symlink_to(real)
    state = np.arange(256, dtype=np.uint8)
    store = FileStore(link)
    with pytest.raises(Error, match="another replica is writing"):
        FileStore(real)
    store.replace(state, identity(state, 1))
    for sequence in range(2, 5):
        state, regions = changed(state, sequence)
        store.update(state, identity(state, sequence), regions)
        assert link.is_symlink()
        assert real.read_bytes() == state.tobytes()
    with open_snapshot(link) as snapshot:
        assert snapshot.read() == state.tobytes()
    store.close()


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Error, match="is not a regular file"):
            FileStore(path)


def test_store_goes_on_after_a_failed_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = np.ones(10_000, dtype=np.uint8)
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    for sequence in (2, 3, 4):
        before = state
        state, regions = changed(state, sequence * 1000)
        with monkeypatch.context() as patch:
            for name in ("pwrite", "ftruncate"):
                patch.setattr(store_module.os, name, failing(errno.EIO))
            with pytest.raises(OSError, match="Input/output error"):
                store.update(state, identity(state, sequence * 10), regions)
        assert path.read_bytes() == before.tobytes()
        # What the failed update would have brought is part of the next one.
        state, regions = changed(state, sequence * 1000 + 500)
        store.update(state, identity(state, sequence * 10 + 1), regions)
        assert path.read_bytes() == state.tobytes()
        loaded = store.load()
        assert loaded is not None
        assert loaded[1].sequence == sequence * 10 + 1
    store.close()


def failing(code: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"0\n[]", b"00000000\n", b"\xff"])
def test_damaged_notes_mean_starting_anew(path: Path, content: bytes) -> None:
    state = np.arange(256, dtype=np.uint8)
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    store.close()
    (path.parent / ".copy.bin.dwcp-state").write_bytes(content)
    again = FileStore(path)
    assert again.load() is None
    again.close()


def test_second_replica_on_a_file_is_refused(path: Path) -> None:
    store = FileStore(path)
    with pytest.raises(Error, match="another replica is writing"):
        FileStore(path)
    store.close()
    FileStore(path).close()


def test_missing_folder_keeps_errno(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileStore(tmp_path / "missing" / "copy")


def test_snapshot_is_left_alone_while_it_is_open(path: Path) -> None:
    state = np.arange(100_000, dtype=np.uint32).view(np.uint8)
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    states = [state]
    for sequence in range(2, 8):
        with open_snapshot(path) as snapshot:
            held = states[-1]
            for step in range(3):
                state, regions = changed(states[-1], sequence * 3000 + step)
                store.update(state, identity(state, sequence * 10 + step), regions)
                states.append(state)
                assert path.read_bytes() == state.tobytes()
            assert snapshot.read() == held.tobytes()
    store.close()


def test_snapshot_waits_for_no_one_and_finds_the_published_file(path: Path) -> None:
    state = np.zeros(4 << 20, dtype=np.uint8)
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    stop = threading.Event()
    torn: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            with open_snapshot(path) as snapshot:
                first = snapshot.read(1)
                for offset in range(0, len(state), 1 << 20):
                    snapshot.seek(offset)
                    if snapshot.read(1) != first:
                        torn.append(first)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for value in range(1, 60):
            following = np.full_like(state, value)
            regions = np.array([[0, len(state)]], dtype=np.uint64)
            store.update(following, identity(following, value + 1), regions)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    store.close()
    assert torn == []


def test_rename_serves_where_names_cannot_be_exchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_exchange", lambda first, second: False)
    state = np.arange(100_000, dtype=np.uint32).view(np.uint8)
    store = FileStore(path)
    store.replace(state, identity(state, 1))
    for sequence in range(2, 6):
        state, regions = changed(state, sequence * 1000)
        store.update(state, identity(state, sequence), regions)
        assert path.read_bytes() == state.tobytes()
    store.close()


class KilledError(BaseException):
    """Stands for the end of the process."""


STEPS = ["pwrite", "ftruncate", "open", "replace", "exchange"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["first", "second", "whole"])
def test_end_at_any_step_leaves_a_published_state(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, kind: str
) -> None:
    """Stop before and after the n-th call of each kind, as kill -9 would; then load again."""
    state = np.arange(50_000, dtype=np.uint32).view(np.uint8)
    for count in range(1, 6):
        for before in (True, False):
            store = FileStore(path)
            store.replace(state, identity(state, 1))
            current = state
            if kind == "second":
                current, regions = changed(state, 0)
                store.update(current, identity(current, 2), regions)
            following, regions = changed(current, 9000)
            if kind == "whole":
                following = np.append(following, np.uint8(1))
            with monkeypatch.context() as patch:
                calls = _kill_at(patch, step, count, before)
                try:
                    if kind == "whole":
                        store.replace(following, identity(following, 3))
                    else:
                        store.update(following, identity(following, 3), regions)
                except KilledError:
                    pass
            store.close()
            content = path.read_bytes()
            assert content in (current.tobytes(), following.tobytes())
            again = FileStore(path)
            loaded = again.load()
            assert loaded is not None
            assert loaded[0].tobytes() == content
            assert loaded[1].digest == checksum.crc64nvme(content)
            again.close()
            for leftover in path.parent.iterdir():
                leftover.unlink()
            if calls[0] < count:
                return


def _kill_at(patch: pytest.MonkeyPatch, step: str, count: int, before: bool) -> list[int]:
    calls = [0]

    def wrap(real):  # type: ignore[no-untyped-def]
        def wrapped(*arguments, **options):  # type: ignore[no-untyped-def]
            calls[0] += 1
            if calls[0] == count and before:
                raise KilledError
            result = real(*arguments, **options)
            if calls[0] == count:
                raise KilledError
            return result

        return wrapped

    if step == "exchange":
        patch.setattr(store_module, "_exchange", wrap(store_module._exchange))
    elif step == "replace":
        patch.setattr(Path, "replace", wrap(Path.replace))
    else:
        patch.setattr(store_module.os, step, wrap(getattr(os, step)))
    # A process that is gone cleans nothing up.
    patch.setattr(Path, "unlink", lambda *_, **__: None)
    return calls


FOLLOWER = """
import sys
from dwcp.replica import Replica
replica = Replica(sys.argv[1], path=sys.argv[2])
while True:
    print(replica.wait(), replica.stats.keyframes, flush=True)
"""


@pytest.mark.heavy
def test_killed_follower_leaves_a_published_state_and_resumes_by_delta(path: Path) -> None:
    """SIGKILL at random moments while states stream in."""
    choice = random.Random(5)
    state = np.zeros(500_000, dtype=np.uint8)
    published = {checksum.crc64nvme(state)}
    keyframes = 0
    with Publisher(state) as publisher:
        host, port = publisher.listen()
        stop = threading.Event()

        def publish() -> None:
            value = 0
            while not stop.is_set():
                value += 1
                state[value % 97 :: 97] += 1
                # The digest is noted before anybody can have the state.
                published.add(checksum.crc64nvme(state))
                publisher.publish()
                publisher.wait(timeout=0.05)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            for round_number in range(25):
                follower = subprocess.Popen(
                    [sys.executable, "-c", FOLLOWER, f"{host}:{port}", str(path)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert follower.stdout is not None
                for _ in range(choice.randrange(1, 12)):
                    line = follower.stdout.readline()
                    assert line, "the follower ended by itself"
                    keyframes = int(line.split()[1])
                # Some microseconds later, in the middle of whatever it does next.
                for _ in range(choice.randrange(0, 20_000)):
                    pass
                follower.send_signal(signal.SIGKILL)
                follower.wait(TIMEOUT)
                follower.stdout.close()
                assert checksum.crc64nvme(path.read_bytes()) in published
                assert keyframes == (1 if round_number == 0 else 0)
        finally:
            stop.set()
            thread.join()


DISK_FULL = """
import errno, pathlib, subprocess, sys
import numpy as np
from dwcp.replica import Publisher, Replica

folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], check=True)
state = np.random.default_rng(0).integers(0, 256, 1_000_000, dtype=np.uint8)
with Publisher(state) as publisher:
    host, port = publisher.listen()
    with Replica(f"{host}:{port}", path=folder / "copy") as replica:
        replica.wait(timeout=20)
        good = state.tobytes()
        (folder / "filler").write_bytes(bytes(1_500_000))
        state[:] += 1
        publisher.publish()
        try:
            replica.wait(2, timeout=20)
            raise SystemExit("no error")
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
        assert (folder / "copy").read_bytes() == good
    (folder / "filler").unlink()
    with Replica(f"{host}:{port}", path=folder / "copy") as replica:
        replica.wait(2, timeout=20)
        assert replica.stats.keyframes == 0
        assert (folder / "copy").read_bytes() == state.tobytes()
print("survived")
"""


def test_full_disk_is_an_oserror_and_the_published_file_stays(tmp_path: Path) -> None:
    command = [*namespace_command("--mount"), sys.executable, "-c", DISK_FULL, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.stdout == "survived\n", result.stderr


def test_failed_write_keeps_the_replica_usable_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = np.ones(10_000, dtype=np.uint8)
    with Publisher(state) as publisher:
        host, port = publisher.listen()
        with Replica(f"{host}:{port}", path=path) as replica:
            replica.wait(timeout=TIMEOUT)
            monkeypatch.setattr(store_module.os, "pwrite", failing(errno.ENOSPC))
            state[0] = 2
            publisher.publish()
            with pytest.raises(OSError, match="No space left"):
                replica.wait(2, timeout=TIMEOUT)
            with replica.read() as copy:
                assert (copy == state).all()
            assert isinstance(replica.error, OSError)
            assert path.read_bytes() == bytes([1]) * 10_000


def test_lock_is_free_after_a_kill(path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from dwcp.replica import FileStore; s = FileStore(sys.argv[1]);"
            "print('held', flush=True); sys.stdin.read()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Error):
        FileStore(path)
    holder.kill()
    holder.wait(TIMEOUT)
    holder.stdin.close()
    holder.stdout.close()
    FileStore(path).close()
    with (path.parent / ".copy.bin.dwcp-lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
