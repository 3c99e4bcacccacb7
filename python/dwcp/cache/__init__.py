"""Memory and the caches of the processor: what is fetched early, kept out, or kept apart.

`gather` and `gather_strided` copy what lies scattered and fetch what comes next meanwhile, `stream`
does so for chunks of a buffer, and `prefetch` is the bare request. `copy` and `fill` go past the
caches where they would only drive out other data. `aligned_empty`, `aligned_zeros` and
`padded_empty` make arrays that begin where one wants them, `PaddedCounter` and `PaddedCounters` are
numbers that threads add to without slowing each other down.

All functions may be called from any thread; those that copy release the GIL, `copy` and `fill` for
256 KiB and more, the others for 64 KiB.
"""

from dwcp._core.cache import (
    LINE_BYTES,
    SEPARATION_BYTES,
    PaddedCounter,
    PaddedCounters,
    Stream,
    can_demote,
    copy,
    fill,
    nontemporal_bytes_min,
    prefetch,
)

from ._arrays import aligned_empty, aligned_zeros, is_aligned, padded_empty
from ._rows import gather, gather_strided
from ._stream import stream

__all__ = [
    "LINE_BYTES",
    "SEPARATION_BYTES",
    "PaddedCounter",
    "PaddedCounters",
    "Stream",
    "aligned_empty",
    "aligned_zeros",
    "can_demote",
    "copy",
    "fill",
    "gather",
    "gather_strided",
    "is_aligned",
    "nontemporal_bytes_min",
    "padded_empty",
    "prefetch",
    "stream",
]
