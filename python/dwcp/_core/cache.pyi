import dwcp.typing


def prefetch(data: dwcp.typing.BufferLike, *, write: bool = False, locality: int = 3) -> None:
    """
    Ask the processor for the memory of a buffer, which it fetches meanwhile, or ignores.

    With write for writing to it. locality is how near to keep it: 3 in the first level, 0
    for what is used only once. May be called from any thread. Raises ValueError for another
    locality, TypeError or BufferError unless data is a C-contiguous buffer.
    """

def gather_rows(table: dwcp.typing.BufferLike, row_bytes: int, rows: dwcp.typing.BufferLike, out: dwcp.typing.BufferLike) -> None:
    """What gather() does, for bytes."""
