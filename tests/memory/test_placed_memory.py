"""Memory on huge pages and on chosen nodes is what the kernel says it is."""

import gc
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwcp.memory import huge_pages, numa

PAGE_BYTES = os.sysconf("SC_PAGESIZE")
NODES = numa.memory_nodes()


def test_huge_pages_say_which_they_are() -> None:
    memory = huge_pages.allocate(5 << 20)
    assert len(memory) == 6 << 20
    array = np.asarray(memory)
    assert array.ctypes.data % (2 << 20) == 0
    assert not array.any()
    array[:] = 7
    if memory.kind == "plain":
        assert memory.huge_bytes == 0
        assert "transparent_hugepage" in memory.reason
    else:
        assert 0 < memory.huge_bytes <= len(memory)
    if memory.kind != "hugetlb":
        assert "vm.nr_hugepages" in memory.reason


def test_views_keep_the_memory() -> None:
    array = np.frombuffer(numa.allocate(8 * 4096, NODES[0]), np.float64)
    gc.collect()
    array[:] = 2.5
    assert array.sum() == 2.5 * 4096
    view = memoryview(huge_pages.allocate(100))
    gc.collect()
    view[:5] = b"12345"
    assert view[:5] == b"12345"
    assert not view.readonly


@pytest.mark.parametrize("placing", ["bind", "preferred", "interleave"])
@pytest.mark.parametrize("node", NODES)
def test_memory_lies_on_the_node_asked_for(placing: Any, node: int) -> None:
    memory = numa.allocate(1 << 20, node, placing=placing)
    assert numa.nodes_of(memory) == {node: (1 << 20) // PAGE_BYTES}


def test_interleaved_memory_lies_on_all() -> None:
    # Huge pages are one each, however small the memory.
    memory = numa.allocate(len(NODES) * (4 << 20), NODES, placing="interleave", huge=True)
    assert set(numa.nodes_of(memory)) == set(NODES)


def test_a_buffer_moves_to_a_node() -> None:
    array = np.ones(100_000)  # pages that nobody has written to lie nowhere
    for node in NODES:
        pages = numa.move(array, node)
        assert pages == sum(numa.nodes_of(array).values())
        assert set(numa.nodes_of(array)) == {node}
    assert numa.nodes_of(b"") == {}


@pytest.mark.parametrize("node", [99, -1])
def test_unknown_nodes_are_refused(node: int) -> None:
    with pytest.raises(ValueError, match=f"no memory node {node}; there are 0"):
        numa.allocate(4096, node)
    with pytest.raises(ValueError, match=f"no memory node {node}"):
        numa.move(bytearray(5), node)


@pytest.mark.parametrize("size", [0, 2**46 + 1])
def test_sizes_out_of_bounds_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="size must be 1 to"):
        huge_pages.allocate(size)
    with pytest.raises(ValueError, match="size must be 1 to"):
        numa.allocate(size, NODES[0])


def test_there_is_no_memory_without_allocate() -> None:
    with pytest.raises(TypeError):
        huge_pages.PlacedMemory()
    with pytest.raises(BufferError, match=r"use allocate\(\)"):
        memoryview(huge_pages.PlacedMemory.__new__(huge_pages.PlacedMemory))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="nodes must be one for preferred"):
        numa.allocate(4096, [])
    with pytest.raises(ValueError, match="placing must be"):
        numa.allocate(4096, 0, placing="near")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        huge_pages.allocate("5")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="buffer"):
        numa.nodes_of(5)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="mmap"):
        huge_pages.allocate(2**46)


def locked_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmLck" in line) << 10


def test_locked_memory_is_given_back_unlocked() -> None:
    before = locked_bytes()
    for _ in range(20):
        memory = numa.allocate(1 << 20, NODES[0], lock=True)
        assert locked_bytes() == before + (1 << 20)
        view = memoryview(memory)
        del memory
        assert locked_bytes() == before + (1 << 20)
        view.release()
        gc.collect()
        assert locked_bytes() == before
    with pytest.raises(OSError, match="mmap"):
        huge_pages.allocate(2**46, lock=True)
    assert locked_bytes() == before


def test_locked_memory_or_the_limit() -> None:
    assert len(huge_pages.allocate(4096, lock=True)) == 2 << 20
    if os.geteuid() != 0:
        pytest.skip("needs root to give the privilege up")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))
            os.setuid(65534)
            numa.allocate(1 << 20, NODES[0], lock=True)
        except OSError as error:
            status = 0 if "which is 4096 bytes (ulimit -l" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
