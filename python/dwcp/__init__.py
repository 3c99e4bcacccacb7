"""Verified remote replicas of large, changing binary state: send only what changed.

One module per topic: `dwcp.delta`, `dwcp.checksum`, `dwcp.lockfree`, `dwcp.memory`,
`dwcp.topology`, `dwcp.cache`, `dwcp.isa`, `dwcp.replica`.
"""

from importlib.metadata import PackageNotFoundError, version

from dwcp import cache, checksum, delta, isa, lockfree, memory, replica, topology
from dwcp.errors import (
    Closed,
    CorruptDelta,
    CorruptFrame,
    Error,
    PeerLost,
    SourceChanged,
    Unsupported,
    WrongBase,
)

try:
    __version__ = version("dwcp")
except PackageNotFoundError:  # imported from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = [
    "Closed",
    "CorruptDelta",
    "CorruptFrame",
    "Error",
    "PeerLost",
    "SourceChanged",
    "Unsupported",
    "WrongBase",
    "__version__",
    "cache",
    "checksum",
    "delta",
    "isa",
    "lockfree",
    "memory",
    "replica",
    "topology",
]
