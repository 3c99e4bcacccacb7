"""Memory on one of two nodes lies there, in the kernel's own words. For machines that have two."""

import ctypes
import gc
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dwcp import topology
from dwcp.memory import BufferPool, huge_pages, numa, numpy_allocator

NODES = numa.memory_nodes()
PAGE = os.sysconf("SC_PAGESIZE")
MIB = 1 << 20
pytestmark = pytest.mark.skipif(len(NODES) < 2, reason="needs two memory nodes")


def where(array: NDArray[Any]) -> Counter[int]:
    """How many pages of an array lie on each node: what move_pages(2) answers, by libnuma."""
    libnuma = ctypes.CDLL("libnuma.so.1", use_errno=True)
    first = array.ctypes.data // PAGE
    count = (array.ctypes.data + array.nbytes - 1) // PAGE - first + 1
    pages = (ctypes.c_void_p * count)(*((first + i) * PAGE for i in range(count)))
    status = (ctypes.c_int * count)()
    assert libnuma.numa_move_pages(0, ctypes.c_ulong(count), pages, None, status, 0) == 0
    return Counter(status)


def policy(array: NDArray[Any]) -> str:
    """What numa_maps(5) says of the memory of an array."""
    maps = Path("/proc/self/numa_maps").read_text()
    places = [(int(line.split()[0], 16), line.split()[1]) for line in maps.splitlines()]
    return max(place for place in places if place[0] <= array.ctypes.data)[1]


@pytest.mark.parametrize("node", NODES)
def test_bound_memory_lies_on_its_node(node: int) -> None:
    array = np.asarray(numa.allocate(4 * MIB, node))
    assert where(array) == {node: 4 * MIB // PAGE}
    assert policy(array) == f"bind:{node}"
    array[:] = 1
    assert where(array) == {node: 4 * MIB // PAGE}


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("placing", ["bind", "preferred"])
def test_huge_pages_lie_on_their_node(node: int, placing: Any) -> None:
    memory = numa.allocate(4 * MIB, node, placing=placing, huge=True)
    assert memory.kind == "hugetlb" or memory.reason
    array = np.asarray(memory)
    assert set(where(array)) == {node}


def reserved_free() -> int:
    """How many reserved huge pages nobody has."""
    return int(Path("/proc/meminfo").read_text().split("HugePages_Free:")[1].split()[0])


def test_reserved_huge_pages_are_used_and_given_back() -> None:
    before = reserved_free()
    if before < 2:
        pytest.skip("needs two reserved huge pages (sysctl vm.nr_hugepages)")
    memory = huge_pages.allocate(3 * MIB)
    assert (memory.kind, memory.reason) == ("hugetlb", "")
    assert memory.huge_bytes == len(memory) == 4 * MIB
    np.asarray(memory)[:] = 1
    assert reserved_free() == before - 2
    del memory
    gc.collect()
    assert reserved_free() == before


def test_interleaved_memory_alternates() -> None:
    array = np.asarray(numa.allocate(4 * MIB, NODES, placing="interleave"))
    assert where(array) == dict.fromkeys(NODES, 4 * MIB // PAGE // len(NODES))
    first, second = (set(where(array[i * PAGE : (i + 1) * PAGE])) for i in range(2))
    assert first != second


def test_a_buffer_moves_there_and_back_and_keeps_its_contents() -> None:
    rng = np.random.default_rng(1)
    array = np.asarray(numa.allocate(2 * MIB, NODES[0]))
    array[:] = rng.integers(0, 256, len(array))
    then = array.copy()
    for node in (*NODES, NODES[0]):
        assert numa.move(array, node) == 2 * MIB // PAGE
        assert where(array) == {node: 2 * MIB // PAGE}
        assert numa.nodes_of(array) == {node: 2 * MIB // PAGE}
        assert (array == then).all()


def test_an_ordinary_array_moves() -> None:
    array = np.ones(3 * MIB // 8)
    for node in NODES:
        numa.move(array, node)
        assert set(where(array)) == {node}
    assert array.sum() == array.size


@pytest.mark.parametrize("node", NODES)
def test_memory_lies_on_the_node_of_the_thread_that_touches_it_first(node: int) -> None:
    with topology.pinned(topology.topology().node(node).cpus):
        array = np.asarray(huge_pages.allocate(2 * MIB))
        plain = np.frombuffer(numa.allocate(MIB, NODES, placing="interleave"), np.uint8)
        pool = BufferPool()
        buffer = np.asarray(pool.get(3 * MIB))
    assert set(where(array)) == {node}
    assert set(where(buffer)) == {node}
    assert set(where(plain)) == set(NODES)


@pytest.mark.parametrize("node", NODES)
def test_a_pool_on_a_node_has_all_its_buffers_there(node: int) -> None:
    pool = BufferPool(placing="bind", nodes=[node])
    other = next(known for known in NODES if known != node)
    with topology.pinned(topology.topology().node(other).cpus):
        for size in (64, 5000, MIB, 5 * MIB):
            buffer = np.asarray(pool.get(size))
            buffer[:] = 1
            assert set(where(buffer)) == {node}
        with numpy_allocator(pool):
            array = np.ones(2 * MIB, np.uint8)
        assert set(where(array)) == {node}


def test_an_unknown_node_is_refused_with_those_that_there_are() -> None:
    there = re.escape(", ".join(map(str, NODES)))
    for make in (
        lambda: numa.allocate(100, 7),
        lambda: numa.allocate(100, [NODES[0], 7], placing="interleave"),
        lambda: numa.move(bytearray(100), 7),
        lambda: BufferPool(placing="bind", nodes=[7]),
    ):
        with pytest.raises(ValueError, match=f"no memory node 7; there are {there}"):
            make()
