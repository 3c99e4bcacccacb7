"""The memory of a pool lies on the nodes and in the pages asked for, by what /proc says of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwcp.memory import BufferPool, numa, numpy_allocator

HUGE_BYTES = 2 << 20
SIZES = [64, 4096, 100_000, 1 << 20, 5 << 20]
NODES = numa.memory_nodes()
NUMA_MAPS = Path("/proc/self/numa_maps")


def address(buffer: Any) -> int:
    return np.frombuffer(buffer, np.uint8).ctypes.data


def policy_of(place: int) -> str:
    """The policy of the mapping that a place lies in, by /proc/self/numa_maps."""
    rows = (line.split() for line in NUMA_MAPS.read_text().splitlines())
    return max((int(start, 16), policy) for start, policy, *_ in rows if int(start, 16) <= place)[1]


def mappings() -> Iterator[tuple[int, int, dict[str, int]]]:
    """First address, end and numbers in bytes of each mapping, by /proc/self/smaps."""
    begin = end = 0
    numbers: dict[str, int] = {}
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            if numbers:
                yield begin, end, numbers
            begin, end = (int(part, 16) for part in name.split("-"))
            numbers = {}
        elif values[-1:] == ["kB"]:
            numbers[name[:-1]] = int(values[0]) << 10
    yield begin, end, numbers


def huge_bytes_at(place: int) -> int:
    return next(numbers["AnonHugePages"] for a, b, numbers in mappings() if a <= place < b)


@pytest.mark.skipif(not NUMA_MAPS.exists(), reason="a kernel without memory nodes")
@pytest.mark.parametrize(
    ("placing", "policy"),
    [(None, "bind"), ("bind", "bind"), ("preferred", "prefer"), ("interleave", "interleave")],
)
@pytest.mark.parametrize("huge_pages", [False, True])
def test_memory_is_placed_on_nodes_also_after_it_was_given_back(
    placing: Any, policy: str, huge_pages: bool
) -> None:
    pool = BufferPool(placing=placing, nodes=NODES[0], huge_pages=huge_pages)
    for _ in range(2):
        buffers = [pool.get(size) for size in SIZES]
        for buffer in buffers:
            assert policy_of(address(buffer)).startswith(f"{policy}")
            assert policy_of(address(buffer)).endswith(f":{NODES[0]}")
            assert set(numa.nodes_of(buffer)) == {NODES[0]}
        pool.put_many(buffers)
        del buffer, buffers
        assert pool.trim() > 0
        assert pool.stats().total.bytes_held == 0
    with numpy_allocator(pool):
        arrays = [np.ones(size, np.uint8) for size in SIZES]
    assert all(policy_of(array.ctypes.data).endswith(f":{NODES[0]}") for array in arrays)


@pytest.mark.skipif(not NUMA_MAPS.exists(), reason="a kernel without memory nodes")
def test_memory_is_placed_nowhere_unless_that_is_wished() -> None:
    pool = BufferPool()
    for size in SIZES:
        assert policy_of(address(pool.get(size))) == "default"


def test_huge_pages_are_what_the_kernel_says_also_after_they_were_given_back() -> None:
    pool = BufferPool(huge_pages=True)
    assert (pool.huge_bytes, pool.kind, pool.reason) == (0, "plain", "")
    for _ in range(2):
        buffers = [pool.get(size) for size in SIZES]
        held = pool.stats().total.bytes_held
        # A region for each class, and three for the last.
        assert held == (len(SIZES) - 1 + 3) * HUGE_BYTES
        assert pool.huge_bytes == huge_bytes_at(address(buffers[0]))
        if pool.kind == "transparent":
            assert 0 < pool.huge_bytes <= held
        if pool.huge_bytes < held:
            assert f"{held - pool.huge_bytes} of {held} bytes lie in plain pages" in pool.reason
            assert "/sys/kernel/mm/transparent_hugepage" in pool.reason
        else:
            assert pool.reason == ""
        place = address(buffers[0])
        pool.put_many(buffers)
        del buffers
        assert pool.trim() == held
        assert (pool.huge_bytes, huge_bytes_at(place)) == (0, 0)
    with numpy_allocator(pool):
        array = np.ones(1000)
    assert pool.huge_bytes == huge_bytes_at(array.ctypes.data)


def test_small_buffers_lie_in_huge_pages_where_the_kernel_makes_them() -> None:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists() or "[never]" in setting.read_text():
        pytest.skip("the kernel makes no huge pages")
    pool = BufferPool(huge_pages=True)
    buffers = pool.get_many(100, 100)
    assert pool.kind == "transparent"
    assert pool.huge_bytes == HUGE_BYTES
    assert pool.stats().classes[128].bytes_held == HUGE_BYTES
    del buffers


def test_a_limit_holds_for_huge_pages_in_whole() -> None:
    pool = BufferPool(huge_pages=True, limit_bytes=2 * HUGE_BYTES)
    small, large = pool.get(64), pool.get(1 << 20)
    with pytest.raises(MemoryError, match="limit"):
        pool.get(4096)
    with pytest.raises(MemoryError, match="limit"):
        pool.get((1 << 20) + 1)
    large.release()
    # What nobody uses any more makes room.
    with pool.get(2000) as other:
        assert len(other) == 2000
    assert pool.stats().total.bytes_held == pool.stats().total.bytes_held_max == 2 * HUGE_BYTES
    small.release()
    with pytest.raises(ValueError, match=f"with huge pages must be {HUGE_BYTES} or more, but is 1"):
        BufferPool(huge_pages=True, limit_bytes=1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"nodes": 99}, ValueError, "no memory node 99; there are 0"),
        ({"nodes": [NODES[0], 99]}, ValueError, "no memory node 99; there are 0"),
        ({"nodes": -1}, ValueError, "no memory node -1"),
        ({"nodes": []}, ValueError, "nodes must be one for preferred"),
        ({"placing": "bind"}, ValueError, "nodes must be one for preferred"),
        ({"placing": "preferred", "nodes": [0, 0]}, ValueError, "nodes must be one for preferred"),
        ({"placing": "near", "nodes": 0}, ValueError, "placing must be"),
        ({"placing": 5, "nodes": 0}, TypeError, "placing must be a str or None, not 5"),
        ({"nodes": "0"}, TypeError, "nodes must be the number of a memory node or a list"),
        ({"nodes": [0.5]}, TypeError, "nodes must be the number"),
        ({"nodes": 2**40}, TypeError, "nodes must be the number"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        BufferPool(**arguments)
