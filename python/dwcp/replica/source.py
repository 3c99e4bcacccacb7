"""Where a publisher's states come from: buffers in memory, or a file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from dwcp import delta
from dwcp.errors import SourceChanged
from dwcp.replica.schema import Schema
from dwcp.typing import BufferLike

__all__ = ["BufferSource", "Codec", "EncoderOptions", "FileSource", "Source"]

Codec = Literal["none", "lz4", "zstd"]

# How often a file that changes while it is read is tried again, and the longest pause between.
_READ_ATTEMPTS = 20
_READ_PAUSE_SECONDS_MAX = 0.2

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class EncoderOptions:
    """How deltas are made."""

    codec: Codec = "none"
    level: int | None = None
    block_size: int = 1 << 20


class Source(Protocol):
    """A state that changes."""

    @property
    def schema(self) -> Schema:
        """What the state consists of."""

    @property
    def tracker(self) -> delta.DirtyTracker | None:
        """Where it knows from what was written; None when it compares everything."""

    def encoder(self) -> delta.Encoder:
        """Make an encoder that holds the state as it is now."""

    def encode(self, encoder: delta.Encoder) -> bytes | None:
        """Make the delta to the state as it is now; None when its length has changed."""

    def close(self) -> None:
        """Give up what the source holds."""


class BufferSource:
    """Buffers of the caller, read in place."""

    def __init__(
        self, source: BufferLike | Mapping[str, BufferLike], options: EncoderOptions, track: bool
    ) -> None:
        self.schema, self._buffers = Schema.of(source)
        self._options = options
        self.tracker = (
            delta.DirtyTracker(self._state(), offsets=self.schema.offsets()) if track else None
        )

    def encoder(self) -> delta.Encoder:
        """Make an encoder that holds the buffers' contents."""
        return delta.Encoder(
            self._state(),
            offsets=self.schema.offsets(),
            codec=self._options.codec,
            level=self._options.level,
            block_size=self._options.block_size,
        )

    def encode(self, encoder: delta.Encoder) -> bytes | None:
        """Make the delta to the buffers' contents."""
        return encoder.encode(self._state() if self.tracker is None else self.tracker)

    def close(self) -> None:
        """Release the buffers."""
        self._buffers = []
        if self.tracker is not None:
            self.tracker.close()

    def _state(self) -> BufferLike | list[BufferLike]:
        return self._buffers[0] if self.schema.fields is None else self._buffers


class FileSource:
    """A file, read with pread(2), and again where its times say that it was written meanwhile."""

    def __init__(self, path: str | os.PathLike[str], options: EncoderOptions) -> None:
        self.schema = Schema()
        self.tracker = None
        self._options = options
        self._path = os.fspath(path)
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def encoder(self) -> delta.Encoder:
        """Make an encoder that holds the file's contents."""
        return _until_it_stands_still(
            lambda: delta.Encoder.from_file(
                self._fd,
                codec=self._options.codec,
                level=self._options.level,
                block_size=self._options.block_size,
            )
        )

    def encode(self, encoder: delta.Encoder) -> bytes | None:
        """Make the delta to the file's contents."""
        self._follow_renames()

        def attempt() -> bytes | None:
            if os.lseek(self._fd, 0, os.SEEK_END) != encoder.state_length_bytes:
                return None
            return encoder.encode_file(self._fd)

        return _until_it_stands_still(attempt)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _follow_renames(self) -> None:
        """Editors and databases replace files: the name counts, not the inode."""
        if os.path.samestat(os.stat(self._path), os.fstat(self._fd)):  # noqa: PTH116
            return
        replacement = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        os.close(self._fd)
        self._fd = replacement


def _until_it_stands_still(read: Callable[[], _Result]) -> _Result:
    never = threading.Event()
    for attempt in range(_READ_ATTEMPTS):
        try:
            return read()
        except SourceChanged:
            never.wait(min(_READ_PAUSE_SECONDS_MAX, 0.001 * 2**attempt))
    return read()
