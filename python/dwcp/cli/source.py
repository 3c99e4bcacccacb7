"""Whether a file may have changed since it was last read."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from pathlib import Path

from .exits import CommandError

# Kernels that keep coarse times give all writes of one tick the same one, and a tick takes up to
# 10 ms. A file that was written that shortly before it was looked at may change unseen.
_TICK_NS = 20_000_000


@dataclass(frozen=True)
class _Stamp:
    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class SourceWatch:
    """Tells when a file is worth reading again. Use it in one thread.

    Times of modification are enough for regular files that are written by write(2). They say
    nothing where the writer maps the file into memory, or for block devices, which have none:
    there every look counts as a change, and comparing the contents tells.

    Parameters
    ----------
    path
        The file.
    always
        Take every look for a change.

    Raises
    ------
    OSError
        There is no such file.
    CommandError
        It is neither a regular file nor a block device.
    """

    def __init__(self, path: Path, always: bool) -> None:
        self._path = path
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise CommandError(f"{path}: is a folder, not a file")
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode)):
            raise CommandError(f"{path}: is neither a regular file nor a block device")
        self._always = always or stat.S_ISBLK(status.st_mode)
        self._seen: _Stamp | None = None

    def changed(self) -> bool:
        """Whether the file may differ from what it held when `changed` was last true.

        Call it before reading: what is written while it is read is then a change again.

        Raises
        ------
        OSError
            The file is gone.
        """
        status = self._path.stat()
        stamp = _Stamp(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )
        changed = self._always or stamp != self._seen
        settled = time.time_ns() - max(stamp.modified_ns, stamp.changed_ns) > _TICK_NS
        self._seen = stamp if settled else None
        return changed

    def forget(self) -> None:
        """Take the next look for a change, because the last reading came to nothing."""
        self._seen = None
