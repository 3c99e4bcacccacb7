"""What publishers and replicas tell of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Kind", "PublishResult", "ReplicaStats", "Update"]

# loaded: found on disk; current: the publisher has nothing newer; the others: received.
Kind = Literal["loaded", "current", "keyframe", "delta"]


@dataclass(frozen=True)
class PublishResult:
    """What one publish did."""

    epoch: int
    sequence: int
    state_length_bytes: int
    changed_bytes: int
    wire_bytes: int
    seconds: float
    is_keyframe: bool = False


@dataclass(frozen=True)
class Update:
    """A state that a replica has reached, and how."""

    kind: Kind
    epoch: int
    sequence: int
    digest: int
    state_length_bytes: int
    wire_bytes: int
    seconds: float


@dataclass
class ReplicaStats:
    """What a replica has received so far."""

    keyframes: int = 0
    deltas: int = 0
    connects: int = 0
    received_bytes: int = 0
    refused: int = 0
    apply_seconds_last: float = 0.0
