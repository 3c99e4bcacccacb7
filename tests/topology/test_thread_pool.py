"""An executor like those of the standard library, whose threads stay on their processors."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import CancelledError, wait
from typing import Any

import pytest

from dwcp import topology
from dwcp.topology import ThreadPool

USABLE = sorted(os.sched_getaffinity(0))
SECONDS = 30


def test_results_come_back_in_futures() -> None:
    with ThreadPool(3) as pool:
        assert pool.workers == 3
        assert pool.cores == [None] * 3
        assert pool.submit(pow, 2, 10).result(SECONDS) == 1024
        assert list(pool.map(lambda x, y: x * y, range(100), range(100))) == [
            i * i for i in range(100)
        ]
        assert pool.submit(dict, a=1, fn=2).result(SECONDS) == {"a": 1, "fn": 2}


def test_errors_come_back_in_futures_and_threads_go_on() -> None:
    with ThreadPool(1) as pool:
        for error in (ValueError("no"), SystemExit(3), KeyboardInterrupt()):

            def fail(error: BaseException = error) -> None:
                raise error

            future = pool.submit(fail)
            assert future.exception(SECONDS) is error
        assert pool.submit(int, "5").result(SECONDS) == 5


def test_threads_stay_on_their_processors() -> None:
    cores = [USABLE[0], USABLE[-1], USABLE[0]]
    with ThreadPool(cores=cores) as pool:
        assert pool.cores == cores
        barrier = threading.Barrier(3)

        def where() -> list[int]:
            barrier.wait(SECONDS)
            return topology.affinity()

        found = [future.result(SECONDS) for future in [pool.submit(where) for _ in range(3)]]
        assert sorted(found) == sorted([core] for core in cores)
    assert topology.affinity() == USABLE


def test_more_threads_than_processors_go_round() -> None:
    first, last = USABLE[0], USABLE[-1]
    with ThreadPool(5, [first, last]) as pool:
        assert pool.cores == [first, last, first, last, first]


def test_by_default_there_are_as_many_as_make_sense() -> None:
    with ThreadPool() as pool:
        assert pool.workers == topology.topology().parallelism
    with ThreadPool(cores=[USABLE[0]]) as pool:
        assert pool.workers == 1


def test_threads_of_a_node_are_asked_first() -> None:
    with ThreadPool(cores=USABLE) as pool:
        node = topology.topology().cpu(USABLE[0]).node
        assert pool.submit_to_node(node, pow, 3, 2).result(SECONDS) == 9
        for wrong in (-1, 99):
            with pytest.raises(ValueError, match=f"no thread is tied to node {wrong}"):
                pool.submit_to_node(wrong, pow, 3, 2)
    with ThreadPool(1) as pool, pytest.raises(ValueError, match="no thread is tied"):
        pool.submit_to_node(0, pow, 3, 2)


def test_threads_are_spread_over_cores_and_nodes() -> None:
    machine = topology.topology()
    with ThreadPool(cores="spread") as pool:
        assert sorted(core for core in pool.cores if core is not None) == USABLE
        cores = [(machine.cpu(core).socket, machine.cpu(core).core) for core in pool.cores]  # type: ignore[arg-type]
        apart = len(set(cores))
        assert len(set(cores[:apart])) == apart
        nodes = [node for node in pool.nodes[:apart] if node is not None]
        assert len(set(nodes[: len(machine.nodes)])) == len(set(nodes))


def test_threads_stay_on_their_nodes() -> None:
    machine = topology.topology()
    nodes = sorted({machine.cpu(cpu).node for cpu in USABLE})
    with ThreadPool(nodes=nodes) as pool:
        assert pool.workers == len(USABLE)
    with ThreadPool(len(nodes) * 2, nodes=nodes) as pool:
        assert pool.nodes == nodes * 2
        assert pool.cores == [USABLE[0] if len(USABLE) == 1 else None] * len(nodes) * 2
        found = pool.submit_to_node(nodes[-1], topology.affinity).result(SECONDS)
        assert found == [cpu for cpu in USABLE if machine.cpu(cpu).node == nodes[-1]]
    with ThreadPool(1) as pool:
        assert pool.nodes == [None]


def test_a_thread_that_has_nothing_takes_from_others() -> None:
    with ThreadPool(2) as pool:
        hold = threading.Event()
        held = pool.submit(hold.wait, SECONDS)
        # Every other one of these lies behind the one that waits.
        rest = [pool.submit(pow, i, 2) for i in range(50)]
        assert [future.result(SECONDS) for future in rest] == [i * i for i in range(50)]
        assert not held.done()
        hold.set()


def test_shutdown_does_what_was_submitted() -> None:
    done: list[int] = []
    pool = ThreadPool(2)
    for i in range(500):
        pool.submit(done.append, i)
    pool.shutdown()
    assert sorted(done) == list(range(500))
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(pow, 1, 1)
    assert len(done) == 500


def test_shutdown_cancels_what_has_not_begun_if_asked() -> None:
    pool = ThreadPool(1)
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> str:
        begun.set()
        go_on.wait(SECONDS)
        return "done"

    first = pool.submit(hold)
    rest = [pool.submit(pow, 2, 2) for _ in range(20)]
    assert begun.wait(SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    assert first.result(SECONDS) == "done"
    wait(rest, SECONDS)
    assert all(future.cancelled() for future in rest)
    with pytest.raises(CancelledError):
        rest[0].result()
    pool.shutdown()


def test_a_cancelled_future_is_not_run() -> None:
    ran: list[int] = []
    with ThreadPool(1) as pool:
        hold = threading.Event()
        pool.submit(hold.wait, SECONDS)
        future = pool.submit(ran.append, 1)
        assert future.cancel()
        hold.set()
    assert ran == []


def test_many_threads_submit_at_once() -> None:
    results: list[int] = []
    with ThreadPool(3) as pool:

        def submit() -> None:
            futures = [pool.submit(pow, i, 2) for i in range(500)]
            results.extend(future.result(SECONDS) for future in futures)

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == sorted([i * i for i in range(500)] * 4)


def test_a_pool_that_is_dropped_lets_its_threads_end() -> None:
    before = threading.active_count()
    pool = ThreadPool(2)
    future = pool.submit(pow, 2, 3)
    gone = weakref.ref(pool)
    threads = pool._threads
    del pool
    gc.collect()
    assert gone() is None
    for thread in threads:
        thread.join(SECONDS)
    assert threading.active_count() == before
    assert future.result(SECONDS) == 8


def test_what_a_task_held_goes_with_it() -> None:
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    with ThreadPool(1) as pool:
        pool.submit(id, thing).result(SECONDS)
        del thing
        pool.submit(int).result(SECONDS)
        gc.collect()
        assert gone() is None


@pytest.mark.parametrize(
    ("workers", "cores", "words"),
    [
        (0, None, "workers must be at least 1"),
        (-1, None, "workers must be at least 1"),
        (1, [], "cores must name"),
        (1, [50_000], "cpus must be"),
        (1, [-1], "cpus must be"),
        (0, "spread", "workers must be at least 1"),
    ],
)
def test_what_makes_no_pool_is_refused(workers: int, cores: Any, words: str) -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match=words):
        ThreadPool(workers, cores)
    for thread in threading.enumerate():
        if thread.name.startswith("dwcp-pool"):
            thread.join(SECONDS)
    assert threading.active_count() == before


def test_nodes_that_make_no_pool_are_refused() -> None:
    with pytest.raises(ValueError, match="no memory node 99; there are 0"):
        ThreadPool(nodes=[99])
    with pytest.raises(ValueError, match="nodes must name"):
        ThreadPool(nodes=[])
    with pytest.raises(ValueError, match="cannot both"):
        ThreadPool(cores=[USABLE[0]], nodes=[0])


def test_a_pool_that_a_thread_of_its_own_collects_ends() -> None:
    for _ in range(20):
        pool = ThreadPool(3)
        pool.cycle = pool  # type: ignore[attr-defined]
        threads, submit = pool._threads, pool.submit
        collected = submit(gc.collect)
        del pool, submit
        gc.collect()
        # While one thread collects, what others ask for may do nothing.
        collected.result(SECONDS)
        gc.collect()
        for thread in threads:
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_a_program_that_forgets_the_pool_ends_when_its_tasks_are_done() -> None:
    script = (
        "import time; from dwcp.topology import ThreadPool; pool = ThreadPool(2)\n"
        "for i in range(20): pool.submit(print, 'task', i, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert len(done.stdout.splitlines()) == 20
    assert done.stderr == ""
