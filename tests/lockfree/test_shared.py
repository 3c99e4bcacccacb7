"""Rings and queues between processes."""

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dwcp
from dwcp.lockfree import ShutDown, shared
from dwcp.lockfree.shared import ByteRing, MpmcQueue

sys.path.insert(0, str(Path(__file__).parent))

from shared_peers import (
    check,
    consume_for_ever,
    echo,
    produce,
    produce_for_ever,
    sleep_with_reservation,
)

CONTEXTS = ["fork", "spawn"]
JOIN_SECONDS = 60


@pytest.fixture
def name() -> Iterator[str]:
    name = f"test.{uuid.uuid4().hex}"
    yield name
    shared.unlink(name)


Create = Callable[[str | None, int], Any]
KINDS: dict[str, Create] = {
    "ByteRing": ByteRing.create,
    "MpmcQueue": lambda name, longest: MpmcQueue.create(name, 4, longest),
}


@pytest.fixture(params=KINDS)
def create(request: pytest.FixtureRequest) -> Create:
    """A function that makes a structure with that name, for messages of up to so many bytes."""
    return KINDS[request.param]


@contextlib.contextmanager
def process(method: str, target: Any, *arguments: Any) -> Iterator[Any]:
    """A process that ends with the block."""
    child = multiprocessing.get_context(method).Process(target=target, args=arguments)
    child.start()
    try:
        yield child
        child.join(JOIN_SECONDS)
        assert child.exitcode == 0
    finally:
        child.kill()
        child.join()


@settings(max_examples=60, deadline=None)
@given(
    capacity=st.integers(1, 5000),
    steps=st.lists(st.one_of(st.none(), st.integers(0, 5000)), max_size=80),
)
def test_it_is_a_deque_of_messages(capacity: int, steps: list[int | None]) -> None:
    model: deque[bytes] = deque()
    with ByteRing.create(None, capacity) as ring:
        for i, size in enumerate(steps):
            if size is None:
                assert ring.try_get() == (model.popleft() if model else None)
            elif size > capacity:
                with pytest.raises(ValueError, match=f"at most {capacity} bytes, the capacity"):
                    ring.try_put(bytes(size))
            else:
                message = bytes([i % 256]) * size
                used = sum(8 + -(-len(m) // 8) * 8 for m in model)
                fits = used + 8 + -(-size // 8) * 8 <= 8 + -(-capacity // 8) * 8
                assert ring.try_put(message) is fits
                if fits:
                    model.append(message)
            assert ring.qsize() == len(model)
            assert ring.empty() is (not model)


@pytest.mark.parametrize(
    ("capacity", "error"),
    [(0, ValueError), (-1, ValueError), (2**41, ValueError), ("x", TypeError)],
)
def test_capacities_out_of_bounds_are_refused(capacity: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ByteRing.create(None, capacity)


def test_a_capacity_beyond_the_memory_is_refused_at_once() -> None:
    with pytest.raises(OSError, match="shared memory"):
        ByteRing.create(None, 2**40)


def test_names(create: Create, name: str) -> None:
    ring = create(name, 100)
    with pytest.raises(FileExistsError):
        create(name, 100)
    other = type(ring).attach(name)
    ring.put(b"hello")
    assert other.get() == b"hello"
    assert (other.capacity, other.name, ring.name) == (ring.capacity, name, name)
    assert ring.unlink() is True
    assert ring.unlink() is False
    assert other.unlink() is False
    with pytest.raises(FileNotFoundError):
        type(ring).attach(name)
    for wrong in ("", "a/b", "x" * 201, "ä"):
        with pytest.raises(ValueError, match="name must be of 1 to 200 letters"):
            create(wrong, 100)


def test_files_of_other_contents_are_refused(name: str) -> None:
    path = f"/dev/shm/dwcp.{name}"
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, bytes(100_000))
    os.close(fd)
    for kind in (ByteRing, MpmcQueue):
        with pytest.raises(dwcp.CorruptFrame, match="the file has other contents"):
            kind.attach(name)
    assert name not in [segment.name for segment in shared.segments()]


def test_a_structure_of_another_kind_is_refused(name: str) -> None:
    with ByteRing.create(name, 100) as ring:
        with pytest.raises(dwcp.CorruptFrame, match="it is a ByteRing, not a MpmcQueue"):
            MpmcQueue.attach(name)
        ring.unlink()
    with MpmcQueue.create(name, 4, 100):
        with pytest.raises(dwcp.CorruptFrame, match="it is a MpmcQueue, not a ByteRing"):
            ByteRing.attach(name)
        assert (name, "MpmcQueue", 4, True) in shared.segments()


@pytest.mark.parametrize(
    ("capacity", "slot_bytes", "error"),
    [(0, 1, ValueError), (1, 0, ValueError), (2**33, 1, ValueError), (2**32, 2**40, ValueError)],
)
def test_sizes_of_a_queue_out_of_bounds_are_refused(
    capacity: int, slot_bytes: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        MpmcQueue.create(None, capacity, slot_bytes)
    with pytest.raises(TypeError, match="both or not at all"):
        MpmcQueue(None, 5)


@pytest.mark.parametrize("method", CONTEXTS)
@pytest.mark.parametrize("named", [True, False], ids=["named", "handed-over"])
def test_processes_pass_on_messages(create: Create, method: str, named: bool, name: str) -> None:
    there = create(name if named else None, 1000)
    back = create(None, 1000)
    with process(method, echo, there, back):
        for i in range(300):
            message = bytes([i % 256]) * (7 * i % 1000)
            there.put(message)
            assert back.get(timeout=JOIN_SECONDS) == message
        there.shutdown()


def test_several_producers_and_consumers_lose_nothing(create: Create) -> None:
    ring = create(None, 5000)
    got: list[tuple[int, int]] = []

    def consume() -> None:
        with contextlib.suppress(ShutDown):
            while True:
                message = ring.get()
                assert zlib.crc32(message[4:]).to_bytes(4, "little") == message[:4]
                producer, number, _ = message[4:].split(b" ", 2)
                got.append((int(producer), int(number)))

    threads = [threading.Thread(target=consume) for _ in range(2)]
    for thread in threads:
        thread.start()
    with process("fork", produce, ring, 0, 2000), process("fork", produce, ring, 1, 2000):
        pass
    ring.shutdown()
    for thread in threads:
        thread.join(JOIN_SECONDS)
        assert not thread.is_alive()
    assert sorted(got) == [(p, i) for p in range(2) for i in range(2000)]


def kill_producers(create: Create, rounds: int) -> None:
    """Kill a writing process at random points; the next one goes on in its place."""
    ring = create(None, 3000)
    random = np.random.default_rng(rounds)
    following = 0
    for _ in range(rounds):
        child = multiprocessing.get_context("fork").Process(
            target=produce_for_ever, args=(ring, following)
        )
        child.start()
        for _ in range(int(random.integers(1, 200))):
            assert check(ring.get(timeout=JOIN_SECONDS)) == following
            following += 1
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        with pytest.raises(dwcp.PeerLost):
            while True:
                assert check(ring.get(timeout=JOIN_SECONDS)) == following
                following += 1
        assert ring.empty()


def kill_consumers(create: Create, rounds: int) -> None:
    """Kill a reading process at random points: what is left comes, and goes on."""
    ring = create(None, 3000)
    random = np.random.default_rng(rounds)
    number = 0
    for _ in range(rounds):
        child = multiprocessing.get_context("fork").Process(target=consume_for_ever, args=(ring,))
        child.start()
        for _ in range(int(random.integers(20, 200))):
            body = number.to_bytes(8, "little") + bytes(number % 500)
            message = zlib.crc32(body).to_bytes(4, "little") + body
            while True:
                # The death before is told when the ring is full and the next one not there yet.
                with contextlib.suppress(dwcp.PeerLost):
                    ring.put(message, timeout=JOIN_SECONDS)
                    break
            number += 1
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        left = []
        with pytest.raises((dwcp.PeerLost, queue.Empty)):
            while True:
                left.append(check(ring.get(timeout=0.001)))
        expected = list(range(number - len(left), number))
        if isinstance(ring, MpmcQueue) and left != expected:
            # The one that the dead was reading is there again, behind some that follow it.
            left.remove(expected.pop(0))
        assert left == expected
        assert ring.try_put(b"room again")
        assert ring.get() == b"room again"


def test_killed_producers_leave_only_whole_messages(create: Create) -> None:
    kill_producers(create, 25)


def test_killed_consumers_leave_the_rest_whole(create: Create) -> None:
    kill_consumers(create, 25)


@pytest.mark.heavy
@pytest.mark.parametrize("kill", [kill_producers, kill_consumers])
def test_a_thousand_are_killed(create: Create, kill: Any) -> None:
    kill(create, 1000)


def kill_all(rounds: int) -> None:
    """Several producers and consumers of a queue, killed at random: those who live go on."""
    ring = MpmcQueue.create(None, 16, 1000)
    random = np.random.default_rng(rounds)
    context = multiprocessing.get_context("fork")
    for _ in range(rounds):
        children = [
            context.Process(target=target, args=arguments)
            for target, arguments in [(produce_for_ever, (ring, 0)), (consume_for_ever, (ring,))]
            * 2
        ]
        for child in children:
            child.start()
        for _ in range(int(random.integers(1, 100))):
            check(ring.get(timeout=JOIN_SECONDS))
        for child in children:
            os.kill(child.pid or 0, signal.SIGKILL)
        with contextlib.suppress(dwcp.PeerLost):
            while True:
                check(ring.get(timeout=JOIN_SECONDS))
        for child in children:
            child.join()
        # All slots are usable again, as soon as it was noticed who died last.
        end = time.monotonic() + JOIN_SECONDS
        while ring.put_many([b"x"] * 17, block=False) != 16:
            assert time.monotonic() < end
            ring.clear()
        assert ring.get_many(17) == [b"x"] * 16


def test_many_who_are_killed_at_once_leave_only_whole_messages() -> None:
    kill_all(15)


@pytest.mark.heavy
def test_thousands_are_killed_at_once() -> None:
    kill_all(500)


@pytest.mark.parametrize("method", CONTEXTS)
def test_a_killed_owner_of_a_side_is_replaced_in_bounded_time(method: str) -> None:
    ring, ready = ByteRing.create(None, 100), ByteRing.create(None, 8)
    child = multiprocessing.get_context(method).Process(
        target=sleep_with_reservation, args=(ring, ready)
    )
    child.start()
    ready.get(timeout=JOIN_SECONDS)
    assert not ring.try_put(b"x")
    os.kill(child.pid or 0, signal.SIGKILL)  # not waited for: a zombie
    before = time.monotonic()
    ring.put(b"mine", timeout=JOIN_SECONDS)
    assert time.monotonic() - before < 5
    assert ring.get() == b"mine"
    assert ring.empty()
    child.join()


@pytest.mark.parametrize("method", CONTEXTS)
def test_a_killed_writer_of_a_queue_is_passed_over_in_bounded_time(method: str) -> None:
    queue_, ready = MpmcQueue.create(None, 4, 100), ByteRing.create(None, 8)
    child = multiprocessing.get_context(method).Process(
        target=sleep_with_reservation, args=(queue_, ready)
    )
    child.start()
    ready.get(timeout=JOIN_SECONDS)
    queue_.put(b"behind it")
    with pytest.raises(queue.Empty):
        queue_.get(timeout=0.01)
    os.kill(child.pid or 0, signal.SIGKILL)  # not waited for: a zombie
    before = time.monotonic()
    assert queue_.get(timeout=JOIN_SECONDS) == b"behind it"
    assert time.monotonic() - before < 5
    assert queue_.empty()
    child.join()


def test_a_consumer_is_told_of_the_death_of_the_last_producer_while_it_waits(
    create: Create,
) -> None:
    ring, ready = create(None, 100), create(None, 8)
    child = multiprocessing.get_context("fork").Process(
        target=sleep_with_reservation, args=(ring, ready)
    )
    child.start()
    ready.get(timeout=JOIN_SECONDS)
    killer = threading.Timer(0.2, lambda: os.kill(child.pid or 0, signal.SIGKILL))
    killer.start()
    with pytest.raises(dwcp.PeerLost, match="the last producer has died"):
        ring.get(timeout=JOIN_SECONDS)
    killer.join()
    child.join()
    # Somebody comes in its place.
    with process("fork", ring.put, b"from the next one"):
        assert ring.get(timeout=JOIN_SECONDS) == b"from the next one"


def test_shutdown_reaches_all_processes(create: Create) -> None:
    there, back = create(None, 100), create(None, 100)
    with process("fork", echo, there, back):
        there.put(b"x")
        assert back.get(timeout=JOIN_SECONDS) == b"x"
        there.shutdown()
    assert there.is_shut_down
    with pytest.raises(ShutDown):
        there.put(b"x")
    assert not there.try_put(b"x")
    with pytest.raises(ShutDown):
        there.get()
    back.put(b"left")
    back.shutdown()
    assert back.get() == b"left"
    with pytest.raises(ShutDown):
        back.get(timeout=10)


def test_event_loops_wait_and_may_be_cancelled(create: Create) -> None:
    there, back = create(None, 16), create(None, 16)

    async def main() -> None:
        for i in range(20):
            await there.aput(b"%d" % i)
            assert await asyncio.wait_for(back.aget(), JOIN_SECONDS) == b"%d" % i
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(back.aget(), 0.01)
        waiter = asyncio.ensure_future(back.aget())
        await asyncio.sleep(0)
        await there.aput(b"last")
        assert await asyncio.wait_for(waiter, JOIN_SECONDS) == b"last"
        there.shutdown()
        with pytest.raises(ShutDown):
            await there.aput(b"x")

    with process("fork", echo, there, back):
        asyncio.run(main())


def test_handles_cannot_be_pickled_for_nobody(name: str) -> None:
    named = ByteRing.create(name, 100)
    named.put(b"x")
    assert pickle.loads(pickle.dumps(named)).get() == b"x"


MAKE_AND_DIE = """
import os, signal, sys
from dwcp.lockfree.shared import ByteRing
ring = ByteRing.create(sys.argv[1], 1000)
ring.put(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_stale_rings_are_removed_and_living_ones_kept(name: str) -> None:
    stale = f"{name}.stale"
    ring = ByteRing.create(name, 100)
    done = subprocess.run([sys.executable, "-c", MAKE_AND_DIE, stale], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = {segment.name: segment for segment in shared.segments()}
    assert found[stale] == (stale, "ByteRing", 1000, False)
    assert found[name].in_use
    assert ByteRing.attach(stale).get() == b"x"  # it can still be joined ...
    assert stale in shared.remove_stale()  # ... until it is removed
    names = [segment.name for segment in shared.segments()]
    assert stale not in names
    assert name in names
    ring.put(b"still there")


LEAVE_QUIETLY = """
import sys
from dwcp.lockfree.shared import ByteRing
ring = ByteRing.attach(sys.argv[1])
ring.put(b"bye")
"""


def test_a_process_that_ends_leaves_names_alone_and_says_nothing(name: str) -> None:
    ring = ByteRing.create(name, 100)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LEAVE_QUIETLY, name],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert ring.get() == b"bye"
    assert ByteRing.attach(name).capacity == 100
