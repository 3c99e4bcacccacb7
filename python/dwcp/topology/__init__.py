"""Processors, caches and memory nodes of this machine, and where threads run.

`topology` tells what there is and what of it may be used; `set_affinity`, `pin_to_core` and
`pin_to_node` put threads where they shall stay, `pinned` for the time of a block; `set_realtime`
and `set_deadline` ask for real-time scheduling. `ThreadPool` is an executor whose threads stay on
their processors. Threads are named by their native_id; 0 is the calling one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dwcp._core.topology import (
    Cache,
    Cpu,
    Node,
    Topology,
    affinity,
    current_cpu,
    current_node,
    scheduling,
    set_affinity,
    set_deadline,
    set_normal,
    set_realtime,
    topology,
)

from ._thread_pool import ThreadPool

__all__ = [
    "Cache",
    "Cpu",
    "Node",
    "ThreadPool",
    "Topology",
    "affinity",
    "current_cpu",
    "current_node",
    "pin_to_core",
    "pin_to_node",
    "pinned",
    "scheduling",
    "set_affinity",
    "set_deadline",
    "set_normal",
    "set_realtime",
    "topology",
]


def pin_to_core(cpu: int, thread: int = 0) -> None:
    """Let a thread run on one processor only.

    Parameters
    ----------
    cpu
        Number of the processor, as Linux counts them.
    thread
        native_id of a thread, 0 for the calling one.

    Raises
    ------
    ValueError
        When it is not there or may not be used; nothing changes.
    OSError
        As `affinity` does.
    """
    set_affinity([cpu], thread)


def pin_to_node(node: int, thread: int = 0) -> None:
    """Let a thread run on those processors of a memory node only that it may use now.

    Parameters
    ----------
    node
        Number of the memory node.
    thread
        native_id of a thread, 0 for the calling one.

    Raises
    ------
    ValueError
        When there is no such node, or none of its processors may be used; nothing changes.
    OSError
        As `affinity` does.
    """
    usable = set(affinity(thread))
    cpus = [cpu for cpu in topology().node(node).cpus if cpu in usable]
    if not cpus:
        raise ValueError(f"node {node} has no processor that the thread may use")
    set_affinity(cpus, thread)


@contextmanager
def pinned(cpus: Sequence[int]) -> Iterator[None]:
    """Keep the calling thread on these processors in a `with` block.

    Parameters
    ----------
    cpus
        Numbers of processors.

    Raises
    ------
    ValueError
        Unless they are there and may be used.
    """
    before = affinity()
    set_affinity(cpus)
    try:
        yield
    finally:
        set_affinity(before)
