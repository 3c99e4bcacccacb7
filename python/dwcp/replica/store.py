"""A replica on disk that survives being killed at any point. docs/protocol.md gives the argument.

Beside the published file NAME stand, in the same folder:

- ``.NAME.dwcp-spare``, a second copy, one delta behind, which the next delta brings up to date and
  exchanges with NAME in one step, so that NAME is never written in place;
- ``.NAME.dwcp-state``, which says what the file's digest stands for;
- ``.NAME.dwcp-lock``, which keeps a second replica from the same file.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dwcp.checksum import crc32c, crc64nvme
from dwcp.errors import Error

__all__ = ["FileStore", "Identity", "open_snapshot"]

State = NDArray[np.uint8]

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_HOLE_BYTES = 1 << 20


@dataclass(frozen=True)
class Identity:
    """Which published state this is."""

    epoch: int
    sequence: int
    digest: int
    state_length_bytes: int
    schema: str = "null"


@contextmanager
def open_snapshot(path: str | os.PathLike[str]) -> Iterator[FileIO]:
    """Open the state that a replica's file holds now and keep it from being changed.

    A shared flock(2) tells the replica to leave this copy alone for as long as the block lasts; it
    goes on with another one. Any thread or process may use it.

    Parameters
    ----------
    path
        The replica's file.

    Yields
    ------
    The file, opened for reading without buffering.

    Raises
    ------
    OSError
        The file cannot be opened.
    """
    while True:
        file = open(path, "rb", buffering=0)  # noqa: SIM115, PTH123 - closed below, FileIO is meant
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            # Between open and flock it may have become the spare.
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):  # noqa: PTH116
                yield file
                return


class FileStore:
    """Keeps one state in a file. One thread at a time.

    Parameters
    ----------
    path
        The published file; made when the first state arrives.
    sync
        Whether each state is forced to the disk before it is published: needed to survive a loss
        of power, not the death of the process.

    Raises
    ------
    Error
        Another replica uses the file, or it is something else than a regular file.
    OSError
        The folder is missing or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = False) -> None:
        # A link stays one: the state is beside what it leads to, and so is the lock.
        self.path = Path(path).resolve()
        if self.path.exists() and not self.path.is_file():
            raise Error(f"{self.path} is not a regular file")
        self._sync = sync
        folder, name = self.path.parent, self.path.name
        self._spare_path = folder / f".{name}.dwcp-spare"
        self._state_path = folder / f".{name}.dwcp-state"
        self._lock = os.open(folder / f".{name}.dwcp-lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise Error(f"another replica is writing {self.path}") from None
            raise
        self._current: Identity | None = None
        # Where the spare differs from the published file; None when there is no usable spare.
        self._behind: NDArray[np.uint64] | None = None

    def close(self) -> None:
        """Give the file free for another replica. It may be called again."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def load(self) -> tuple[State, Identity] | None:
        """The state on disk, when it is one that this store published, verified in full.

        A file whose digest the store does not know (made by someone else, or damaged) is left as
        it is until a keyframe replaces it.
        """
        with suppress(FileNotFoundError):
            self._spare_path.unlink()
        self._behind = self._current = None
        try:
            with self.path.open("rb") as file:
                length = os.fstat(file.fileno()).st_size
                known = [entry for entry in self._known() if entry.state_length_bytes == length]
                if not known:
                    return None
                state = np.empty(length, dtype=np.uint8)
                if file.readinto(state.data) != length:
                    return None
        except FileNotFoundError:
            return None
        digest = crc64nvme(state)
        # Of two states with the same bytes the later one, which comes last.
        for entry in reversed(known):
            if entry.digest == digest:
                self._current = entry
                return state, entry
        return None

    def replace(self, state: State, identity: Identity) -> None:
        """Publish a whole state.

        Raises
        ------
        OSError
            The disk is full or failed; the published file is as it was.
        """
        self._behind = None
        with self._discarding_spare():
            self._write_spare(state)
            self._publish(identity)
        # What the exchange left behind may be anything.
        with suppress(FileNotFoundError):
            self._spare_path.unlink()

    def update(self, state: State, identity: Identity, regions: NDArray[np.uint64]) -> None:
        """Publish `state`, which differs from the published one inside `regions` only.

        Raises
        ------
        OSError
            The disk is full or failed; the published file is as it was.
        """
        with self._discarding_spare():
            if self._behind is None or not self._write_regions(state, [self._behind, regions]):
                self._write_spare(state)
            self._publish(identity)
        self._behind = regions

    def _known(self) -> list[Identity]:
        try:
            checksum, _, notes = self._state_path.read_bytes().partition(b"\n")
            if int(checksum, 16) != crc32c(notes):
                return []
            return [Identity(**entry) for entry in json.loads(notes)]
        except (OSError, ValueError, TypeError):
            return []

    @contextmanager
    def _discarding_spare(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._behind = None
            with suppress(OSError):
                self._spare_path.unlink()
            raise

    def _write_spare(self, state: State) -> None:
        """A new file: whoever reads the old spare keeps what he has."""
        with suppress(FileNotFoundError):
            self._spare_path.unlink()
        fd = os.open(self._spare_path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(fd, len(state))
            for offset in range(0, len(state), _HOLE_BYTES):
                part = state[offset : offset + _HOLE_BYTES]
                # Zeros stay holes: a sparse state is a sparse file.
                if part.any():
                    _write_at(fd, part, offset)
            if self._sync:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _write_regions(self, state: State, groups: list[NDArray[np.uint64]]) -> bool:
        """Bring the spare up to date; False when a reader holds it or it is gone."""
        try:
            fd = os.open(self._spare_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            for regions in groups:
                for offset, length in regions.tolist():
                    _write_at(fd, state[offset : offset + length], offset)
            if self._sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        return True

    def _publish(self, identity: Identity) -> None:
        """Exchange the spare, which is complete, with the published file."""
        # The digest of the file tells which of the two it is, at whatever point this stops.
        entries = [entry for entry in (self._current, identity) if entry is not None]
        temporary = self._state_path.with_name(self._state_path.name + "-new")
        notes = json.dumps([asdict(entry) for entry in entries]).encode()
        with temporary.open("wb") as file:
            file.write(b"%08x\n%b" % (crc32c(notes), notes))
            if self._sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(self._state_path)
        if not _exchange(self._spare_path, self.path):
            self._spare_path.replace(self.path)
        if self._sync:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self._current = identity


def _write_at(fd: int, part: State, offset: int) -> None:
    rest = part.data
    while len(rest) > 0:
        count = os.pwrite(fd, rest, offset)
        rest = rest[count:]
        offset += count


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step (renameat2(2)); False where that cannot be done."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    arguments = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    if libc.renameat2(*arguments) == 0:
        return True
    code = ctypes.get_errno()
    # No second file yet, or a file system or kernel without exchange: rename does it.
    if code in (errno.ENOENT, errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), str(second))
