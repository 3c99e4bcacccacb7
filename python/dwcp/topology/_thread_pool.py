"""An executor whose threads stay on their processors and help one another."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from dwcp import lockfree
from dwcp._core.topology import Topology, set_affinity, topology

_T = TypeVar("_T")
_Task = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Worker:
    """A queue of tasks, and whose tasks to take when it is empty, in this order."""

    def __init__(self, cpu: int | None, node: int) -> None:
        self.cpu, self.node = cpu, node
        self.tasks: lockfree.Queue[_Task] = lockfree.Queue()
        self.order: list[_Worker] = []


class _State:
    """What threads know of the pool, so that the pool itself can go."""

    def __init__(self, workers: list[_Worker]) -> None:
        self.workers = workers
        # One for each task that lies in a queue, and in the end one False for each thread.
        self.permits: lockfree.Queue[bool] = lockfree.Queue()
        self.lock = threading.Lock()
        self.closed = False

    def close(self) -> None:
        with self.lock:
            if not self.closed:
                self.closed = True
                self.permits.put_many([False] * len(self.workers))

    def cancel(self) -> None:
        """Cancel what lies in the queues. It stays there, because of its permits."""
        for worker in self.workers:
            tasks = worker.tasks.get_many(worker.tasks.qsize(), block=False)
            for task in tasks:
                task[0].cancel()
            worker.tasks.put_many(tasks)


_states: weakref.WeakSet[_State] = weakref.WeakSet()


def _close_all() -> None:
    for state in list(_states):
        state.close()


# Before the interpreter waits for threads, which would wait for tasks: concurrent.futures does so.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]


def _take(worker: _Worker) -> _Task:
    """Find the task of a permit: there is one, though others may be faster at one place."""
    while True:
        for other in worker.order:
            task = other.tasks.try_get()
            if task is not None:
                return task


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
        if worker.cpu is not None:
            set_affinity([worker.cpu])
    except (OSError, ValueError) as error:
        started.put(error)
        return
    started.put(None)
    del started
    while state.permits.get():
        _run(_take(worker))


class ThreadPool(Executor):
    """A `concurrent.futures.Executor` with pinned threads and a queue for each.

    A thread takes tasks from its own queue first, then from those of its memory node, then from the
    others. All calls may be made from any thread.

    Parameters
    ----------
    workers
        How many threads; by default one for each of `cores`, or as many as `Topology.parallelism`.
    cores
        Numbers of processors: thread i stays on the i-th, beginning anew when there are more
        threads. None: threads are not tied to any.
    name
        Beginning of the names of the threads.

    Raises
    ------
    ValueError
        For fewer than one worker, no cores, or those that are not there or may not be used.
    """

    def __init__(
        self,
        workers: int | None = None,
        cores: Sequence[int] | None = None,
        *,
        name: str = "dwcp-pool",
    ) -> None:
        machine = topology()
        if cores is not None and not cores:
            raise ValueError("cores must name at least one processor, or be None")
        if workers is None:
            workers = len(cores) if cores else machine.parallelism
        if workers < 1:
            raise ValueError(f"workers must be at least 1, but is {workers}")
        self._state = _State(_make_workers(workers, cores, machine))
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
        return [worker.cpu for worker in self._state.workers]

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
        worker = workers[next(self._turn) % len(workers)]
        with self._state.lock:
            if self._state.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            worker.tasks.put((future, fn, args, kwargs))
            self._state.permits.put(True)
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


def _make_workers(count: int, cores: Sequence[int] | None, machine: Topology) -> list[_Worker]:
    nodes = {cpu.id: cpu.node for cpu in machine.cpus}
    workers = []
    for i in range(count):
        cpu = cores[i % len(cores)] if cores else None
        workers.append(_Worker(cpu, -1 if cpu is None else nodes.get(cpu, -1)))
    for i, worker in enumerate(workers):
        # Neighbours first, and not all the same one.
        others = workers[i + 1 :] + workers[:i]
        worker.order = [worker, *sorted(others, key=lambda other: other.node != worker.node)]
    return workers
