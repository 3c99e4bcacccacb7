"""The pool of pinned threads beside that of the standard library."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import ClassVar

from dwcp.topology import ThreadPool, affinity

from .contestants import Contest, Running


class Tasks(Running):
    """Tasks that do nothing: what is timed is handing them over and getting their results."""

    def __init__(self, pool: Executor) -> None:
        self.pool = pool

    def run(self, count: int) -> None:
        submit = self.pool.submit
        for future in [submit(int) for _ in range(count)]:
            future.result()

    def close(self) -> None:
        self.pool.shutdown()


class OneByOne(Tasks):
    """Each is waited for before the next one."""

    def run(self, count: int) -> None:
        submit = self.pool.submit
        for _ in range(count):
            submit(int).result()


def pinned(workers: int) -> Executor:
    cores = affinity()
    return ThreadPool(workers, [cores[i % len(cores)] for i in range(workers)])


MAKE: dict[str, Callable[[int], Executor]] = {
    "dwcp": ThreadPool,
    "dwcp_pinned": pinned,
    "thread_pool_executor": ThreadPoolExecutor,
}


class Submit(Contest):
    """Tasks submitted, and then their results."""

    contestants = tuple(MAKE)
    params: ClassVar = ([1, 2, 8],)
    param_names = ("workers",)
    item = "task"
    count = 256

    def setup(self, workers: int) -> None:
        self.running = {name: Tasks(make(workers)) for name, make in MAKE.items()}


class SubmitAndWait(Submit):
    """Tasks submitted one by one, each with its result."""

    def setup(self, workers: int) -> None:
        self.running = {name: OneByOne(make(workers)) for name, make in MAKE.items()}
