"""Remote replicas of a changing state: `Publisher` on one side, `Replica` on the other.

The protocol, the layout on disk and what is guaranteed are described in docs/protocol.md.
"""

from dwcp.replica.connection import ConnectionInfo
from dwcp.replica.publisher import Publisher
from dwcp.replica.replica import Replica
from dwcp.replica.stats import PublishResult, ReplicaStats, Update
from dwcp.replica.store import FileStore, Identity, open_snapshot

__all__ = [
    "ConnectionInfo",
    "FileStore",
    "Identity",
    "PublishResult",
    "Publisher",
    "Replica",
    "ReplicaStats",
    "Update",
    "open_snapshot",
]
