"""Errors that dwcp raises beside those of the standard library."""

__all__ = [
    "Closed",
    "CorruptDelta",
    "CorruptFrame",
    "Error",
    "PeerLost",
    "SourceChanged",
    "Unsupported",
    "WrongBase",
]


class Error(Exception):
    """Base of the errors of dwcp."""


class CorruptDelta(Error, ValueError):
    """The bytes are not a delta, or a damaged one; nothing was written."""


class CorruptFrame(Error, ValueError):
    """A peer sent bytes that the protocol does not allow."""


class WrongBase(Error):
    """The delta is for another state: another length or digest; nothing was written."""


class Closed(Error):
    """The object was closed and cannot be used any more."""


class PeerLost(Error, ConnectionError):
    """The other side went away."""


class Unsupported(Error):
    """A newer version of dwcp, or another machine, is needed for this."""


class SourceChanged(Error):
    """The file was modified, truncated or extended while it was read; try again."""
