"""Publishing a file that others write to."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dwcp import SourceChanged
from dwcp.replica import Publisher, Replica, frames, source

from .conftest import TIMEOUT

Follow = Callable[..., Replica]


def random_state(length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)


def test_publishing_a_file_follows_every_kind_of_change(tmp_path: Path, follow: Follow) -> None:
    path = tmp_path / "state.bin"
    path.write_bytes(random_state(100_000).tobytes())
    with Publisher.from_file(path) as publisher:
        host, port = publisher.listen()
        replica = follow(f"{host}:{port}")
        replica.wait(timeout=TIMEOUT)
        epoch = publisher.epoch

        def check(new_epoch: bool) -> None:
            nonlocal epoch
            result = publisher.publish()
            assert result.is_keyframe == new_epoch
            assert publisher.wait(timeout=TIMEOUT)
            with replica.read() as copy:
                assert copy.tobytes() == path.read_bytes()
            assert (publisher.epoch != epoch) == new_epoch
            epoch = publisher.epoch

        with path.open("r+b") as file:
            file.write(b"written in place")
        check(new_epoch=False)
        with path.open("ab") as file:
            file.write(b"grown")
        check(new_epoch=True)
        with path.open("r+b") as file:
            file.truncate(777)
        check(new_epoch=True)
        replacement = tmp_path / "replacement"
        replacement.write_bytes(b"z" * 777)
        replacement.replace(path)
        check(new_epoch=False)
        with path.open("r+b") as file:
            file.truncate(0)
        check(new_epoch=True)


def test_missing_file_keeps_errno(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Publisher.from_file(tmp_path / "missing")


def test_file_that_is_gone_keeps_errno_and_may_come_back(tmp_path: Path) -> None:
    path = tmp_path / "state.bin"
    path.write_bytes(b"first")
    with Publisher.from_file(path) as publisher:
        path.unlink()
        with pytest.raises(FileNotFoundError):
            publisher.publish()
        path.write_bytes(b"other")
        assert publisher.publish().sequence == 2


# Each state has one value in all its bytes.
WRITER = """
import os, sys
path, length, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
value = 0
while True:
    value = value % 255 + 1
    state = bytes([value]) * (length + value % 3)
    if how == "replaced":
        with open(path + "-new", "wb") as file:
            file.write(state)
        os.replace(path + "-new", path)
    else:
        with open(path, "r+b") as file:
            file.truncate(length // 2)
            file.write(state)
    if value == 1:
        print("writing", flush=True)
"""


@pytest.mark.parametrize("how", ["replaced", "truncated and written"])
def test_file_that_never_stands_still_ends_as_it_is(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(source, "_READ_ATTEMPTS", 3)
    path, length = tmp_path / "state.bin", 200_000
    path.write_bytes(bytes(length))
    with Publisher.from_file(path) as publisher:
        host, port = publisher.listen()
        replica = follow(f"{host}:{port}")
        replica.wait(timeout=TIMEOUT)
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(length), how], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        try:
            assert writer.stdout.readline() == b"writing\n"
            for _ in range(10):
                try:
                    publisher.publish()
                except SourceChanged:
                    continue
                assert publisher.wait(timeout=TIMEOUT)
                assert replica.digest == publisher.digest
                assert replica.verify()
                if how == "replaced":
                    with replica.read() as copy:
                        assert (copy == copy[0]).all()
            assert writer.poll() is None
        finally:
            writer.kill()
            writer.wait(TIMEOUT)
            writer.stdout.close()
        publisher.publish()
        assert publisher.wait(timeout=TIMEOUT)
        with replica.read() as copy:
            assert copy.tobytes() == path.read_bytes()


def test_payloads_are_received_into_memory_that_was_used_before(
    tmp_path: Path, follow: Follow
) -> None:
    """What `dwcp demo` does: a file that changes, followed on disk."""
    path = tmp_path / "state.bin"
    path.write_bytes(random_state(300_000).tobytes())
    rng = np.random.default_rng(1)
    with Publisher.from_file(path) as publisher:
        host, port = publisher.listen()
        follow(f"{host}:{port}", path=tmp_path / "copy.bin")

        def change_and_publish(times: int) -> None:
            for _ in range(times):
                with path.open("r+b") as file:
                    file.seek(int(rng.integers(0, 100_000)))
                    file.write(rng.bytes(int(rng.integers(20_000, 100_000))))
                publisher.publish()
                assert publisher.wait(timeout=TIMEOUT)

        change_and_publish(30)
        warm = frames.payload_pool().stats().total
        change_and_publish(200)
        now = frames.payload_pool().stats().total
    # A delta and its acknowledgement each time.
    allocations = now.allocations - warm.allocations
    assert allocations >= 400
    assert (now.misses - warm.misses) / allocations < 0.01
    assert (tmp_path / "copy.bin").read_bytes() == path.read_bytes()
