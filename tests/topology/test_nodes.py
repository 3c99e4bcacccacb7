"""Threads on one of two memory nodes stay there. For machines that have two."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dwcp import topology
from dwcp.topology import ThreadPool

MACHINE = topology.topology()
USABLE = sorted(os.sched_getaffinity(0))
SECONDS = 60
pytestmark = pytest.mark.skipif(len(MACHINE.nodes) < 2, reason="needs two memory nodes")


def listed(path: str) -> list[int]:
    """Numbers as the kernel writes them: 0-1,3."""
    found: list[int] = []
    for part in Path(path).read_text().strip().split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def test_nodes_have_their_processors_distances_and_memory() -> None:
    folder = "/sys/devices/system/node"
    assert [node.id for node in MACHINE.nodes] == listed(f"{folder}/online")
    for node in MACHINE.nodes:
        assert node.cpus == listed(f"{folder}/node{node.id}/cpulist")
        text = Path(f"{folder}/node{node.id}/distance").read_text()
        assert node.distances == [int(word) for word in text.split()]
        total = Path(f"{folder}/node{node.id}/meminfo").read_text().split("MemTotal:")[1].split()[0]
        assert node.memory_bytes == int(total) * 1024
    near, far = MACHINE.nodes[0].distances[:2]
    assert near < far


@pytest.mark.parametrize("node", [node.id for node in MACHINE.nodes])
def test_a_thread_stays_on_its_node_and_goes_back(node: int) -> None:
    cpus = MACHINE.node(node).cpus
    with topology.pinned(cpus):
        assert topology.affinity() == cpus
        assert topology.current_node() == node
        assert topology.current_cpu() in cpus
    assert topology.affinity() == USABLE

    found: list[object] = []

    def work() -> None:
        topology.pin_to_node(node)
        found.extend([topology.affinity(), topology.current_node()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [cpus, node]
    assert topology.affinity() == USABLE


def test_tasks_for_a_node_run_there_while_its_threads_have_time() -> None:
    with ThreadPool(cores="spread") as pool:
        assert pool.nodes[:2] == [0, 1]
        for _ in range(20):
            for node in (0, 1):
                ran = pool.submit_to_node(node, topology.current_node).result(SECONDS)
                assert ran == node


def test_tasks_for_a_node_without_time_run_elsewhere() -> None:
    with ThreadPool(nodes=[0, 1], workers=2) as pool:
        begun, go_on = threading.Event(), threading.Event()

        def hold() -> int:
            begun.set()
            go_on.wait(SECONDS)
            return topology.current_node()

        held = pool.submit_to_node(1, hold)
        assert begun.wait(SECONDS)
        assert pool.submit_to_node(1, topology.current_node).result(SECONDS) == 0
        go_on.set()
        assert held.result(SECONDS) == 1


def test_a_thread_takes_from_its_own_node_first() -> None:
    # Two threads on each node, all held; what waits then lies in the queues of both nodes.
    cores = [*MACHINE.node(0).cpus[:2], *MACHINE.node(1).cpus[:2]]
    with ThreadPool(cores=cores) as pool:
        events = [threading.Event() for _ in cores]
        begun = threading.Barrier(len(cores) + 1)
        names: dict[int, int] = {}

        def hold(number: int) -> None:
            names[number] = topology.current_cpu()
            begun.wait(SECONDS)
            events[number].wait(SECONDS)

        for number in range(len(cores)):
            pool.submit(hold, number)
        begun.wait(SECONDS)
        order: list[int] = []
        waiting = [
            pool.submit_to_node(node, order.append, node) for _ in range(6) for node in (0, 1)
        ]
        # One thread of node 1 goes on: first what is there for node 1, then the rest.
        number = next(number for number, cpu in names.items() if cpu in MACHINE.node(1).cpus)
        events[number].set()
        for future in waiting:
            future.result(SECONDS)
        assert order == [1] * 6 + [0] * 6
        for event in events:
            event.set()


def test_shutdown_does_what_lies_on_all_nodes() -> None:
    done: list[int] = []
    pool = ThreadPool(nodes=[0, 1])
    for i in range(200):
        pool.submit_to_node(i % 2, done.append, i)
    pool.shutdown()
    assert sorted(done) == list(range(200))


def test_info_shows_both_nodes_as_a_tree() -> None:
    command = [sys.executable, "-m", "dwcp", "info"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"}
    ).stdout
    near, far = MACHINE.nodes[0].distances[:2]
    assert f"distances {near}, {far}" in shown
    assert f"distances {far}, {near}" in shown
    assert "node 0," in shown
    assert "node 1," in shown
