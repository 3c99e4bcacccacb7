from dwcp._core.lockfree import Messages


class ByteRing(Messages):
    """
    A ring of messages in shared memory; use dwcp.lockfree.shared.ByteRing.
    """
    def __init__(self, name: str | None, capacity: int | None = None, fd: int | None = None) -> None: ...
    def used_bytes(self) -> int: ...
    def fileno(self) -> int: ...

class MpmcQueue(Messages):
    """
    A queue of messages in shared memory; use dwcp.lockfree.shared.MpmcQueue.
    """
    def __init__(self, name: str | None, capacity: int | None = None, slot_bytes: int | None = None, fd: int | None = None) -> None: ...
    @property
    def slot_bytes(self) -> int: ...
    def fileno(self) -> int: ...

def segments() -> list[tuple[str, str, int, bool]]:
    """
    The caller's structures that have a name: name, kind, capacity, and whether a process that
    lives uses it.
    """

def remove_stale() -> list[str]:
    """
    Remove the names of the caller's structures that no living process uses; returns them.
    """

def unlink(name: str) -> bool:
    """
    Remove a name; False when there is none. Those who have what it names keep it.
    """
