from collections.abc import Sequence
from typing import Literal, TypeVar, overload

import numpy
import numpy.typing

import dwcp.typing
from dwcp.typing import BufferLike


_BufferT = TypeVar("_BufferT", bound=BufferLike)

@overload
def xor(a: BufferLike, b: BufferLike, out: None = None) -> bytes:
    """
    XOR of two buffers of equal length.

    Returns out when it is given, a writable buffer of the same length that may be a or
    b, and new bytes otherwise. May be called from any thread; the GIL is released from
    64 KiB on. Raises ValueError when the lengths differ or out overlaps an input
    partially, TypeError or BufferError when an argument is not a C-contiguous (out: and
    writable) buffer.
    """
@overload
def xor(a: BufferLike, b: BufferLike, out: _BufferT) -> _BufferT: ...

def update(previous: dwcp.typing.BufferLike, current: dwcp.typing.BufferLike) -> int:
    """
    Make previous equal to current by writing only the lines of 64 bytes that differ.

    Returns how many lines did. previous is a writable buffer of the same length. The GIL is
    released for long buffers. Raises ValueError when the lengths differ.
    """

def changed_regions(current: dwcp.typing.BufferLike, previous: dwcp.typing.BufferLike, merge_gap: int = 4) -> numpy.typing.NDArray[numpy.uint64]:
    """
    Ranges of bytes in which two buffers of equal length differ.

    Returns an array of shape (n, 2): offset and length in bytes, ascending, disjoint. Ranges
    with fewer than merge_gap equal bytes between them are one. The GIL is released for long
    buffers. Raises ValueError when the lengths differ.
    """

def encode(current: dwcp.typing.BufferLike, previous: dwcp.typing.BufferLike | None = None, *, codec: str = 'none', level: int | None = None, mode: str = 'auto', block_size: int = 1048576, base_digest: int | None = None) -> bytes:
    """
    Delta that turns previous into current; previous=None is an all-zero state.

    codec is 'none', 'lz4' or 'zstd', level that codec's own scale. mode is 'auto' (whatever is
    smallest, block by block) or one of 'raw', 'lines-xor', 'lines-new', 'runs'. block_size is a
    power of two from 4096 to 16777216 bytes. base_digest is crc64nvme(previous) where it is
    known; without it previous is read once more. The GIL is released.
    Raises ValueError when the lengths differ or an option is out of bounds.
    The format is described in docs/format.md.
    """

def apply(delta: dwcp.typing.BufferLike, state: dwcp.typing.BufferLike, *, base_digest: int | None = None) -> int:
    """
    Apply a delta to a writable buffer in place and return the digest of the new state.

    Everything is verified before the first byte is written: the checksums of the delta, that
    state is the one that it was made for, and the digest of the result. base_digest is
    crc64nvme(state) where it is known; without it state is read in full. Memory beyond the
    arguments is at most twice the changed blocks. The GIL is released; nobody else may write
    to state meanwhile.
    Raises CorruptDelta, WrongBase, or Unsupported for a format version from the future; state
    is then as it was.
    """

@overload
def decode(delta: BufferLike, previous: BufferLike | None = None, out: None = None, *, base_digest: int | None = None) -> bytes:
    """
    The state that a delta makes of previous (None: of zeros), as bytes or in out.

    out is a writable buffer, previous itself or one that does not overlap it; it is
    untouched unless all is verified. Without out and previous, as much memory is taken as the delta says.
    The GIL is released. Raises as apply does.
    """
@overload
def decode(delta: BufferLike, previous: BufferLike | None, out: _BufferT, *, base_digest: int | None = None) -> _BufferT: ...

def inspect(delta: dwcp.typing.BufferLike) -> Inspection:
    """What is in a delta. Raises CorruptDelta or Unsupported."""

def regions(delta: dwcp.typing.BufferLike, merge_gap: int = 0) -> numpy.typing.NDArray[numpy.uint64]:
    """
    Ranges of bytes of the state that applying a delta may write.

    Returns an array of shape (n, 2): offset and length in bytes, ascending, disjoint. Ranges
    with at most merge_gap bytes between them are one. Raises CorruptDelta or Unsupported.
    """

def compose(deltas: Sequence[dwcp.typing.BufferLike], state: dwcp.typing.BufferLike, *, codec: str = 'none', level: int | None = None) -> bytes:
    """
    One delta with the effect of several that follow each other.

    state is what the last of them yields: values are taken from it, so that what was
    overwritten in between is not sent. The GIL is released; nobody may write to state.
    Raises WrongBase when the deltas do not follow each other or are for another length,
    ValueError when there are none, CorruptDelta or Unsupported.
    """

class Inspection:
    """What is in a delta."""

    @property
    def version(self) -> int:
        """Version of the format."""

    @property
    def state_length_bytes(self) -> int:
        """Length of the state."""

    @property
    def base_digest(self) -> int:
        """CRC-64/NVME of the state that the delta applies to."""

    @property
    def result_digest(self) -> int:
        """CRC-64/NVME of the state that it yields."""

    @property
    def block_size_bytes(self) -> int:
        """State covered by one record."""

    @property
    def wire_bytes(self) -> int:
        """Length of the delta."""

    @property
    def changed_blocks(self) -> int:
        """Number of records."""

    @property
    def changed_bytes(self) -> int:
        """Bytes of the state that applying it writes."""

    @property
    def modes(self) -> dict[str, int]:
        """Number of records by mode."""

    @property
    def codecs(self) -> dict[str, int]:
        """Number of streams by codec."""

    @property
    def ratio(self) -> float:
        """Length of the state for each byte of the delta."""

class DirtyTracker:
    """
    Tells which pages of a state were written to, so that nobody need look at the others.

    The kernel write-protects the pages and notes the first write to each (userfaultfd(2) in
    asynchronous mode and PAGEMAP_SCAN: Linux 6.7, no privilege). That write takes about a
    microsecond longer, and takes transparent huge pages apart. Where it cannot be had,
    everything counts as written each time, and `reason` says why.

    Seen are writes of all threads of this process, of NumPy, of system calls as read(2) into
    the buffers, and of process_vm_writev(2). Not seen are those of devices to memory that was
    pinned before, as direct reads that are under way or registered buffers of io_uring: use
    `mark` for them. After a fork the child's tracker begins anew with everything.

    Calls may come from any thread, one waits for the other; the GIL is released, and all
    threads may write meanwhile. A context manager that closes at the end.
    Source: Documentation/admin-guide/mm/pagemap.rst and userfaultfd.rst of Linux.
    """

    def __init__(self, state: dwcp.typing.BufferLike | Sequence[dwcp.typing.BufferLike], *, offsets: Sequence[int] | None = None, exclusive: bool = False) -> None:
        """
        Track a buffer, or buffers at offsets in bytes as for Encoder, and hold them.

        Shared memory and mapped files are not tracked, because others may write to them,
        unless exclusive says that nobody does but this process through these buffers.
        Raises TypeError, BufferError and ValueError as Encoder does; what the kernel refuses
        is no error, but in `reason`.
        """

    def collect(self) -> numpy.typing.NDArray[numpy.uint64]:
        """
        Ranges that may have been written since the last call, or since the tracker was
        made.

        Returns an array of shape (n, 2): offset and length in bytes, ascending, disjoint.
        They are whole pages, and always the edges of the buffers, which share a page with
        other data. What is read after the call is what they held, or later. Raises Closed.
        """

    def mark(self, offset: int, length: int) -> None:
        """
        Count a range, in bytes, as written.

        Raises ValueError unless it lies within the state, Closed.
        """

    def close(self) -> None:
        """
        Let the kernel track the pages no more, and release the buffers; may be called again.
        """

    def __enter__(self) -> DirtyTracker: ...

    def __exit__(self, *exc: object) -> None: ...

    @property
    def method(self) -> Literal['write-protect', 'full-scan']:
        """'write-protect', or 'full-scan' where all counts as written each time."""

    @property
    def reason(self) -> str:
        """Why not all whole pages are tracked; empty when they are."""

    @property
    def tracked_bytes(self) -> int:
        """
        How much is tracked; what is left counts as written in each call of collect.
        """

class Encoder:
    """
    Keeps a copy of the last encoded state and compares with it.

    The copy is brought up to date in the pass that compares, and its digest in time
    proportional to the change. Calls from several threads are serialised; the GIL is released.
    """

    def __init__(self, initial: dwcp.typing.BufferLike | Sequence[dwcp.typing.BufferLike], *, offsets: Sequence[int] | None = None, codec: str = 'none', level: int | None = None, mode: str = 'auto', block_size: int = 1048576) -> None:
        """
        Copy the initial state: a buffer, or buffers at the given offsets in bytes (without
        offsets each at the next multiple of 64) with zeros between them.

        The other parameters are those of encode. Raises ValueError when parts overlap.
        """

    @staticmethod
    def from_file(fd: int, *, codec: str = 'none', level: int | None = None, mode: str = 'auto', block_size: int = 1048576) -> Encoder:
        """
        Take the initial state from a file descriptor (regular file, memory file or block
        device) by pread(2). Raises SourceChanged when it changes meanwhile, OSError.
        """

    def encode(self, current: dwcp.typing.BufferLike | Sequence[dwcp.typing.BufferLike] | DirtyTracker) -> bytes:
        """
        Delta from the last encoded state to current, which is laid out like the initial one.

        For a DirtyTracker it is the state in the tracker's buffers, of which only what was
        written since the last call is compared; all of it at first, and where the last call
        was not for the same tracker or somebody else has asked it meanwhile.

        Bytes of current that another thread changes meanwhile are taken once, before or after
        the change; delta and copy agree. Raises ValueError when lengths differ, Closed for a
        tracker that was closed.
        """

    def encode_file(self, fd: int) -> bytes:
        """
        Delta to the state that a file holds, read by pread(2).

        Raises SourceChanged when the file has another length or was modified meanwhile (by
        its size, mtime or ctime) and OSError; the encoder is then as before the call.
        """

    @property
    def digest(self) -> int:
        """CRC-64/NVME of the last encoded state."""

    @property
    def state_length_bytes(self) -> int:
        """Length of the state."""

    @property
    def changed_lines(self) -> int:
        """Lines of 64 bytes that differed in the last delta."""

    @property
    def changed_bytes(self) -> int:
        """Bytes that differed in the last delta."""

    @property
    def state(self) -> memoryview:
        """
        Read-only view of the last encoded state; the next call of encode changes it.
        """

class Decoder:
    """
    Applies deltas to a buffer whose digest it keeps.

    Nobody else may write to the buffer. Calls from several threads are
    serialised; the GIL is released.
    """

    def __init__(self, state: dwcp.typing.BufferLike, digest: int | None = None) -> None:
        """state is a writable buffer, digest its crc64nvme where that is known."""

    def apply(self, delta: dwcp.typing.BufferLike) -> int:
        """
        Apply a delta in place and return the new digest; raises as dwcp.delta.apply does.
        """

    def verify(self) -> bool:
        """
        Recompute the digest in full; whether the state is what the decoder holds it for.
        """

    @property
    def digest(self) -> int:
        """CRC-64/NVME of the state."""
