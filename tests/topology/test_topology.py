"""What the machine has, in the kernel's own words, and threads that stay where they are put."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dwcp import topology

USABLE = sorted(os.sched_getaffinity(0))


def in_thread(work: Callable[[], Any]) -> Any:
    """What `work` returns in a thread of its own, so that the others keep what they have."""
    found: list[Any] = []

    def call() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def test_the_processors_are_those_that_the_kernel_lists() -> None:
    machine = topology.topology()
    assert machine.usable == USABLE
    assert len(machine.cpus) == os.sysconf("SC_NPROCESSORS_ONLN")
    for cpu in machine.cpus:
        folder = Path(f"/sys/devices/system/cpu/cpu{cpu.id}/topology")
        assert cpu.id in cpu.siblings
        if folder.exists():
            assert cpu.core == int((folder / "core_id").read_text())
            assert cpu.socket == int((folder / "physical_package_id").read_text())
        assert cpu.id in machine.node(cpu.node).cpus
        assert machine.cpu(cpu.id).id == cpu.id
    assert 1 <= machine.parallelism <= len(USABLE)


def test_caches_and_nodes_have_sizes() -> None:
    machine = topology.topology()
    for cache in machine.caches:
        assert cache.type in ("data", "instruction", "unified")
        assert cache.size_bytes > 0
        assert cache.cpus
    assert [cache.level for cache in machine.caches] == sorted(c.level for c in machine.caches)
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < sum(node.memory_bytes for node in machine.nodes) <= total * 1.1
    for node in machine.nodes:
        assert len(node.distances) == len(machine.nodes)


@pytest.mark.parametrize("number", [-1, 99])
def test_what_is_not_there_is_refused_with_what_is(number: int) -> None:
    machine = topology.topology()
    with pytest.raises(ValueError, match=f"no memory node {number}; there are 0"):
        machine.node(number)
    with pytest.raises(ValueError, match=f"no processor {number}"):
        machine.cpu(number)
    with pytest.raises(ValueError, match=f"no memory node {number}"):
        topology.pin_to_node(number)
    assert topology.affinity() == USABLE


@pytest.mark.parametrize("cpu", USABLE)
def test_a_thread_stays_where_it_is_put(cpu: int) -> None:
    def work() -> tuple[list[int], int, int]:
        topology.pin_to_core(cpu)
        return topology.affinity(), topology.current_cpu(), topology.current_node()

    affinity, current, node = in_thread(work)
    assert affinity == [cpu]
    assert current == cpu
    assert cpu in topology.topology().node(node).cpus
    assert topology.affinity() == USABLE


def test_a_node_is_those_of_its_processors_that_may_be_used() -> None:
    def work() -> list[int]:
        topology.pin_to_node(0)
        return topology.affinity()

    expected = sorted(set(topology.topology().node(0).cpus) & set(USABLE))
    assert in_thread(work) == expected


def test_another_thread_can_be_put_somewhere() -> None:
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    try:
        topology.set_affinity([USABLE[-1]], thread.native_id or 0)
        assert topology.affinity(thread.native_id or 0) == [USABLE[-1]]
        assert topology.affinity() == USABLE
    finally:
        go_on.set()
        thread.join()
    with pytest.raises(ProcessLookupError):
        topology.affinity(2**30)


def test_a_block_restores_what_was_before() -> None:
    with topology.pinned([USABLE[0]]):
        assert topology.affinity() == [USABLE[0]]
    assert topology.affinity() == USABLE
    with contextlib.suppress(KeyError), topology.pinned([USABLE[-1]]):
        raise KeyError
    assert topology.affinity() == USABLE


@pytest.mark.parametrize("cpus", [[], [-1], [70_000], [50_000], [*USABLE, 50_000]])
def test_processors_that_may_not_be_used_are_refused(cpus: list[int]) -> None:
    with pytest.raises(ValueError, match="cpus must"):
        topology.set_affinity(cpus)
    with pytest.raises(ValueError, match="cpus must"), topology.pinned(cpus):
        pass
    assert topology.affinity() == USABLE


@pytest.mark.parametrize("cpus", [None, 1, "0", [0.5], ["0"]])
def test_what_are_no_numbers_is_refused(cpus: Any) -> None:
    with pytest.raises(TypeError):
        topology.set_affinity(cpus)


@pytest.mark.parametrize("policy", ["fifo", "rr"])
def test_real_time_is_granted_or_the_missing_privilege_named(policy: str) -> None:
    def work() -> tuple[str, int]:
        topology.set_realtime(3, policy)
        found = topology.scheduling()
        topology.set_normal()
        assert topology.scheduling() == ("normal", 0)
        return found

    try:
        assert in_thread(work) == (policy, 3)
    except PermissionError as error:
        assert "CAP_SYS_NICE" in str(error)
        assert "ulimit -r" in str(error)


def test_without_the_privilege_nothing_is_reported_as_done() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give the privilege up")
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            os.setuid(65534)
            try:
                topology.set_realtime(3)
            except PermissionError:
                status = 0 if topology.scheduling() == ("normal", 0) else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_real_time_out_of_bounds_is_refused() -> None:
    for priority in (0, 100, -1):
        with pytest.raises(ValueError, match="priority must be 1 to 99"):
            topology.set_realtime(priority)
    with pytest.raises(ValueError, match="policy must be 'fifo' or 'rr'"):
        topology.set_realtime(5, "batch")
    with pytest.raises(ValueError, match="runtime <= deadline <= period"):
        topology.set_deadline(2_000_000, 1_000_000, 1_000_000)
    assert topology.scheduling() == ("normal", 0)


def test_deadlines_are_granted_or_refused_with_a_reason() -> None:
    def work() -> str:
        topology.set_deadline(1_000_000, 10_000_000, 10_000_000)
        return topology.scheduling()[0]

    try:
        assert in_thread(work) == "deadline"
    except OSError as error:
        assert "SCHED_DEADLINE" in str(error)
