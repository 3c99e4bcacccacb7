from collections.abc import Sequence


class Cpu:
    """A processor, as Linux counts them: a thread of a core."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def core(self) -> int:
        """Number of the core within the socket; -1: unknown."""

    @property
    def socket(self) -> int:
        """Number of the package; -1: unknown."""

    @property
    def node(self) -> int:
        """Number of the memory node; -1: unknown."""

    @property
    def siblings(self) -> list[int]:
        """Processors that share the core, itself included."""

class Cache:
    """A cache of one or more processors."""

    @property
    def level(self) -> int:
        """1 to 4."""

    @property
    def type(self) -> str:
        """data, instruction or unified."""

    @property
    def size_bytes(self) -> int:
        """0: unknown."""

    @property
    def line_bytes(self) -> int:
        """0: unknown."""

    @property
    def cpus(self) -> list[int]:
        """Processors that share it."""

class Node:
    """Memory, and the processors that are near to it."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def cpus(self) -> list[int]:
        """Processors; there may be none."""

    @property
    def memory_bytes(self) -> int:
        """0: unknown."""

    @property
    def distances(self) -> list[int]:
        """To each node, in the order of Topology.nodes; 10 is its own."""

class Topology:
    """
    Processors, caches and memory nodes of this machine, and what the calling thread may use.
    """

    @property
    def cpus(self) -> list[Cpu]:
        """Processors that are online."""

    @property
    def caches(self) -> list[Cache]:
        """
        By level, then by their first processor; empty where the kernel tells none.
        """

    @property
    def nodes(self) -> list[Node]:
        """Memory nodes, one at least."""

    @property
    def usable(self) -> list[int]:
        """
        Processors of the calling thread's affinity, which is within its cpuset.
        """

    @property
    def quota(self) -> float | None:
        """
        Processors' worth of time that the control group grants; None: no limit.
        """

    def cpu(self, id: int) -> Cpu:
        """The processor of that number. Raises ValueError when there is none."""

    def node(self, id: int) -> Node:
        """The memory node of that number. Raises ValueError when there is none."""

    @property
    def parallelism(self) -> int:
        """
        How many threads make sense: as many as processors are usable, but not more
        than the quota, rounded up.
        """

def topology() -> Topology:
    """
    Read the topology from the kernel's files, some hundred small ones.

    May be called from any thread. Raises OSError where the affinity cannot be had.
    """

def affinity(thread: int = 0) -> list[int]:
    """
    Processors on which a thread may run, in rising order.

    thread is threading.Thread.native_id, 0 for the calling thread. Raises OSError
    (ProcessLookupError for a thread that is not there).
    """

def set_affinity(cpus: Sequence[int], thread: int = 0) -> None:
    """
    Let a thread run on exactly these processors from here on.

    thread is threading.Thread.native_id, 0 for the calling thread; threads that it starts
    inherit it. Raises ValueError, having changed nothing, unless cpus are processors that are
    there and that this process may use; OSError as affinity() does. sched_setaffinity(2).
    """

def current_cpu() -> int:
    """Number of the processor on which the calling thread runs just now."""

def current_node() -> int:
    """Number of the memory node to which that processor belongs. getcpu(2)."""

def scheduling(thread: int = 0) -> tuple[str, int]:
    """
    Policy of a thread (normal, fifo, rr or deadline) and its real-time priority.

    thread and errors are those of affinity().
    """

def set_realtime(priority: int, policy: str = 'fifo', thread: int = 0) -> None:
    """
    Run a thread before all normal ones: SCHED_FIFO or, by policy='rr', SCHED_RR.

    priority is 1 (least) to 99. Raises ValueError for what is out of bounds,
    PermissionError, saying what would allow it, without the privilege. sched(7).
    """

def set_deadline(runtime_ns: int, deadline_ns: int, period_ns: int, thread: int = 0) -> None:
    """
    Grant a thread runtime_ns in each period_ns, until deadline_ns after its beginning.

    SCHED_DEADLINE. Raises ValueError unless 1000 <= runtime_ns <= deadline_ns <= period_ns,
    PermissionError without the privilege, OSError where the time is not left.
    """

def set_normal(thread: int = 0) -> None:
    """
    End real-time scheduling of a thread. Raises OSError as affinity() does.
    """
