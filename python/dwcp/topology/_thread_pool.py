"""An executor whose threads stay on their processors and help one another."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, Literal, TypeVar

from dwcp import lockfree
from dwcp._core.topology import Topology, set_affinity, topology

_T = TypeVar("_T")
_Task = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Worker:
    """A queue of tasks, and whose tasks to take when it is empty, in this order."""

    def __init__(self, cpus: Sequence[int] | None, node: int) -> None:
        self.cpus, self.node = cpus, node
        self.tasks: lockfree.Queue[_Task] = lockfree.Queue()
        self.order: list[_Worker] = []
        # Its thread sleeps by acquiring it twice, and is woken by a release.
        self.parked = threading.Lock()
        self.parked.acquire()

    def take(self) -> _Task | None:
        """Find something to do."""
        for other in self.order:
            task = other.tasks.try_get()
            if task is not None:
                return task
        return None


class _State:
    """What threads know of the pool, so that the pool itself can go."""

    def __init__(self, workers: list[_Worker]) -> None:
        self.workers = workers
        # Guards the two below, and is held while a task is put down: whoever finds nothing to do
        # while holding it, and goes to sleep, will be woken for the next. One that a thread may
        # take twice: where it collects a pool that was dropped, that one is closed.
        self.lock = threading.RLock()
        self.idle: list[_Worker] = []
        self.closed = False

    def put(self, group: list[_Worker], turn: int, task: _Task) -> None:
        """Have a thread of the group do it; another one if none of these has time."""
        with self.lock:
            if self.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            idle = self.idle
            if not idle:
                group[turn % len(group)].tasks.put(task)
                return
            # Who came last has the warmest caches.
            woken = idle.pop() if group is self.workers else self._idle_of(group)
            worker = woken if woken in group else group[turn % len(group)]
            worker.tasks.put(task)
            woken.parked.release()

    def _idle_of(self, group: list[_Worker]) -> _Worker:
        for i in reversed(range(len(self.idle))):
            if self.idle[i] in group:
                return self.idle.pop(i)
        return self.idle.pop()

    def wait(self, worker: _Worker) -> _Task | None:
        """Find something to do; None when there will be no more."""
        while True:
            task = worker.take()
            if task is not None:
                return task
            with self.lock:
                task = worker.take()
                if task is not None:
                    return task
                self.idle.append(worker)
                if self.closed:
                    return None
            worker.parked.acquire()

    def close(self) -> None:
        with self.lock:
            self.closed = True
            for worker in self.idle:
                worker.parked.release()
            self.idle.clear()

    def cancel(self) -> None:
        """Cancel what lies in the queues."""
        for worker in self.workers:
            while (task := worker.tasks.try_get()) is not None:
                task[0].cancel()
                task[0].set_running_or_notify_cancel()


_states: weakref.WeakSet[_State] = weakref.WeakSet()


def _close_all() -> None:
    for state in list(_states):
        state.close()


# Before the interpreter waits for threads, which would wait for tasks: concurrent.futures does so.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]


def _run(task: _Task) -> None:
    future, function, arguments, keywords = task
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*arguments, **keywords)
    except BaseException as error:  # it is the caller's
        future.set_exception(error)
    else:
        future.set_result(result)


def _work(state: _State, worker: _Worker, started: lockfree.Queue[BaseException | None]) -> None:
    try:
        if worker.cpus is not None:
            set_affinity(worker.cpus)
    except (OSError, ValueError) as error:
        started.put(error)
        return
    started.put(None)
    del started
    while (task := state.wait(worker)) is not None:
        _run(task)
        del task  # or its arguments would live on while the thread sleeps


class ThreadPool(Executor):
    """A `concurrent.futures.Executor` with pinned threads and a queue for each.

    A thread takes tasks from its own queue first, then from those of its memory node, then from the
    others. All calls may be made from any thread.

    Parameters
    ----------
    workers
        How many threads; by default one for each of `cores` or of the processors of `nodes`, or as
        many as `Topology.parallelism`.
    cores
        Numbers of processors: thread i stays on the i-th, beginning anew when there are more
        threads. "spread": on cores of their own as long as there are some, on each memory node in
        turn. None: threads are not tied to any.
    nodes
        Numbers of memory nodes, instead of `cores`: thread i stays on the processors of the i-th,
        on whichever of them, beginning anew when there are more threads.
    name
        Beginning of the names of the threads.

    Raises
    ------
    ValueError
        For fewer than one worker, no cores or nodes, both of them, or those that are not there or
        may not be used.
    """

    def __init__(
        self,
        workers: int | None = None,
        cores: Sequence[int] | Literal["spread"] | None = None,
        *,
        nodes: Sequence[int] | None = None,
        name: str = "dwcp-pool",
    ) -> None:
        self._state = _State(_make_workers(workers, _places(cores, nodes, topology())))
        self._turn = itertools.count()
        self._by_node: dict[int, list[_Worker]] = {}
        for worker in self._state.workers:
            self._by_node.setdefault(worker.node, []).append(worker)
        self._threads = self._start(name)
        _states.add(self._state)
        # A pool that is dropped lets its threads end, once they have done what there is.
        weakref.finalize(self, self._state.close).atexit = False

    def _start(self, name: str) -> list[threading.Thread]:
        started: lockfree.Queue[BaseException | None] = lockfree.Queue()
        threads = [
            threading.Thread(target=_work, args=(self._state, worker, started), name=f"{name}-{i}")
            for i, worker in enumerate(self._state.workers)
        ]
        for thread in threads:
            thread.start()
        errors = [error for error in (started.get() for _ in threads) if error is not None]
        if errors:
            self._state.close()
            raise errors[0]
        return threads

    @property
    def workers(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    @property
    def cores(self) -> list[int | None]:
        """The processor of each thread; None where it is not tied to one."""
        return [
            worker.cpus[0] if worker.cpus is not None and len(worker.cpus) == 1 else None
            for worker in self._state.workers
        ]

    @property
    def nodes(self) -> list[int | None]:
        """The memory node of each thread; None where it is not tied to any processor."""
        return [None if worker.node < 0 else worker.node for worker in self._state.workers]

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Have a function called by one of the threads.

        Raises
        ------
        RuntimeError
            After `shutdown`.
        """
        return self._submit(self._state.workers, fn, args, kwargs)

    def submit_to_node(
        self, node: int, fn: Callable[..., _T], /, *args: Any, **kwargs: Any
    ) -> Future[_T]:
        """Have a function called by a thread of a memory node, if one of them has time.

        Raises
        ------
        ValueError
            When no thread of the pool is tied to a processor of that node.
        RuntimeError
            After `shutdown`.
        """
        workers = self._by_node.get(node) if node >= 0 else None
        if workers is None:
            nodes = sorted(known for known in self._by_node if known >= 0)
            raise ValueError(f"no thread is tied to node {node}; there are threads of {nodes}")
        return self._submit(workers, fn, args, kwargs)

    def _submit(
        self,
        workers: list[_Worker],
        fn: Callable[..., _T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Future[_T]:
        future: Future[_T] = Future()
        self._state.put(workers, next(self._turn), (future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; what was submitted is done, unless it is to be cancelled.

        Parameters
        ----------
        wait
            Whether to return only when all threads have ended.
        cancel_futures
            Whether to cancel the tasks that have not begun.
        """
        self._state.close()
        if cancel_futures:
            self._state.cancel()
        if wait:
            for thread in self._threads:
                thread.join()


# Processors that a thread stays on, None for all of them, and their memory node, or -1.
_Place = tuple[Sequence[int] | None, int]


def _places(
    cores: Sequence[int] | Literal["spread"] | None, nodes: Sequence[int] | None, machine: Topology
) -> list[_Place]:
    """Where one thread after the other goes, before they begin anew."""
    if cores is not None and nodes is not None:
        raise ValueError("cores and nodes cannot both be given")
    if nodes is not None:
        if not nodes:
            raise ValueError("nodes must name at least one memory node, or be None")
        places: list[_Place] = []
        for node in nodes:
            usable = [cpu for cpu in machine.node(node).cpus if cpu in machine.usable]
            if not usable:
                raise ValueError(f"no processor of memory node {node} may be used")
            places.append((usable, node))
        return places
    if cores is None:
        return [(None, -1)] * machine.parallelism
    if not cores:
        raise ValueError("cores must name at least one processor, or be None")
    by_number = {cpu.id: cpu.node for cpu in machine.cpus}
    chosen = _spread(machine) if cores == "spread" else cores
    return [([cpu], by_number.get(cpu, -1)) for cpu in chosen]


def _spread(machine: Topology) -> list[int]:
    """The usable processors: one of each core first, and of each node in turn."""
    taken: dict[tuple[int, int], int] = {}
    rank: dict[int, tuple[int, int, int]] = {}
    on_node: dict[int, int] = {}
    for cpu in machine.cpus:
        if cpu.id in machine.usable:
            sibling = taken[cpu.socket, cpu.core] = taken.get((cpu.socket, cpu.core), -1) + 1
            if sibling == 0:
                on_node[cpu.node] = on_node.get(cpu.node, -1) + 1
            rank[cpu.id] = sibling, on_node.get(cpu.node, 0), cpu.node
    return sorted(rank, key=rank.__getitem__)


def _make_workers(count: int | None, places: list[_Place]) -> list[_Worker]:
    if count is None:
        count = sum(1 if cpus is None else len(cpus) for cpus, _ in places)
    if count < 1:
        raise ValueError(f"workers must be at least 1, but is {count}")
    workers = [_Worker(*places[i % len(places)]) for i in range(count)]
    for i, worker in enumerate(workers):
        # Neighbours first, and not all the same one.
        others = workers[i + 1 :] + workers[:i]
        worker.order = [worker, *sorted(others, key=lambda other: other.node != worker.node)]
    return workers
