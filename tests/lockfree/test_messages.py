"""What all structures that pass on messages can do: between threads, and in shared memory."""

import asyncio
import gc
import os
import pickle
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dwcp
from dwcp.lockfree import ByteRing, ShutDown, shared

# Of messages of up to so many bytes, with room for at least four of half as many.
MAKERS: dict[str, Callable[[int], Any]] = {
    "threads": lambda longest: ByteRing(longest),
    "shared ring": lambda longest: shared.ByteRing.create(None, longest),
    "shared queue": lambda longest: shared.MpmcQueue.create(None, 4, longest),
}
RINGS = ("threads", "shared ring")
WAIT_SECONDS = 60


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    return MAKERS[request.param]


@pytest.fixture(params=RINGS)
def make_ring(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    return MAKERS[request.param]


def test_messages_of_no_bytes_and_of_all_bytes(make: Callable[[int], Any]) -> None:
    ring = make(100)
    for message in (b"", b"x" * 100, bytearray(b"abc"), memoryview(b"abc"), np.arange(9)):
        ring.put(message)
        assert ring.get() == bytes(message)
    with pytest.raises(TypeError, match="data must"):
        ring.put("text")
    with pytest.raises(BufferError):
        ring.put(np.arange(10)[::2])
    with pytest.raises(ValueError, match="a message must have at most 100 bytes"):
        ring.put(bytes(101))
    with pytest.raises(queue.Empty):
        ring.get(block=False)
    with pytest.raises(queue.Empty):
        ring.get_nowait()
    assert ring.try_get("nothing") == "nothing"
    assert ring.empty()


def test_what_is_full_says_so(make: Callable[[int], Any]) -> None:
    ring = make(100)
    assert not ring.full()
    count = 0
    while ring.try_put(b"x" * 90):
        count += 1
    while ring.try_put(b""):
        count += 1
    assert ring.full()
    assert ring.qsize() == count
    for put in (lambda: ring.put(b"", timeout=0.01), lambda: ring.put_nowait(b"")):
        with pytest.raises(queue.Full):
            put()
    ring.clear()
    assert ring.empty()
    ring.put_nowait(b"room again")


def test_batches(make: Callable[[int], Any]) -> None:
    ring = make(100)
    messages = [bytes([i]) * i for i in range(40)]
    put = ring.put_many(iter(messages), block=False)
    assert 0 < put < 40
    assert ring.get_many(3) == messages[:3]
    assert ring.get_many(100) == messages[3:put]
    with pytest.raises(ValueError, match="max must be at least 1, but is 0"):
        ring.get_many(0)
    with pytest.raises(TypeError):
        ring.put_many([b"put", "text", b"not put"])
    assert ring.get_many(9) == [b"put"]


def test_messages_are_written_and_read_in_their_place(make: Callable[[int], Any]) -> None:
    ring = make(8000)
    for i in range(20):
        with ring.reserve(3000) as view:
            assert not view.readonly
            np.frombuffer(view, np.uint8)[:] = i
        with ring.read() as view:
            assert view.readonly
            assert view.nbytes == 3000
            assert set(view) == {i}
            assert ring.try_get() is None
        assert ring.empty()
        with pytest.raises(ValueError, match="released"):
            view[0]


def test_an_exception_drops_what_was_written_and_keeps_what_was_read(
    make: Callable[[int], Any],
) -> None:
    ring = make(100)
    with pytest.raises(ZeroDivisionError), ring.reserve(10):
        raise ZeroDivisionError
    assert ring.empty()
    ring.put(b"message")
    with pytest.raises(ZeroDivisionError), ring.read():
        raise ZeroDivisionError
    assert ring.get() == b"message"


def test_a_view_that_outlives_its_block_is_an_error_and_keeps_the_memory(
    make: Callable[[int], Any],
) -> None:
    ring = make(100)
    ring.put(b"message")
    with pytest.raises(BufferError), ring.read() as view:
        kept = np.frombuffer(view, np.uint8)
    assert ring.get() == b"message"
    ring.close()
    assert bytes(kept) == b"message"


def test_a_message_that_is_given_up_is_as_one_whose_block_failed(
    make: Callable[[int], Any],
) -> None:
    ring = make(100)
    reserved = ring.reserve(5)
    reserved.__enter__()
    del reserved
    gc.collect()  # the message and its view know each other
    ring.put(b"message")
    ring.read()
    assert ring.get() == b"message"


def test_a_cycle_through_a_message_is_collected(make: Callable[[int], Any]) -> None:
    class Holder(type(make(1))):  # type: ignore[misc]
        pass

    with make(100) as ring:
        kind = type(ring)
    assert issubclass(Holder, kind)
    maker: Any = shared.MpmcQueue if kind is shared.MpmcQueue else kind
    holder = {
        ByteRing: lambda: Holder(100),
        shared.ByteRing: lambda: Holder(None, 100),
        shared.MpmcQueue: lambda: Holder(None, 4, 100),
    }[maker]()
    holder.put(b"x")
    holder.reading = holder.read()
    reference = weakref.ref(holder)
    del holder
    gc.collect()
    assert reference() is None


def test_get_into_takes_no_copy_and_refuses_what_is_too_short(make: Callable[[int], Any]) -> None:
    ring = make(100)
    ring.put(b"message")
    with pytest.raises(ValueError, match="out must have at least 7 bytes"):
        ring.get_into(bytearray(6))
    with pytest.raises((TypeError, BufferError)):
        ring.get_into(b"constant")
    out = bytearray(10)
    assert ring.get_into(out) == 7
    assert out == b"message\0\0\0"


def test_objects_with_arrays(make: Callable[[int], Any]) -> None:
    ring = make(1 << 20)
    value = {"weights": np.arange(10_000, dtype=np.float32).reshape(100, 100), "step": 3}
    ring.put_object(value)
    got = ring.get_object()
    assert got["step"] == 3
    np.testing.assert_array_equal(got["weights"], value["weights"])
    got["weights"][0, 0] = 5  # its own memory


def test_long_messages_go_without_the_gil(make: Callable[[int], Any]) -> None:
    ring = make(1 << 20)
    message = np.random.default_rng(1).bytes(1 << 20)
    for data in (message, bytearray(message), np.frombuffer(message, np.uint8)):
        ring.put(data)
        assert ring.get() == message


def test_what_is_closed_says_so(make: Callable[[int], Any]) -> None:
    ring = make(100)
    ring.put(b"x")
    with ring:
        assert not ring.closed
    ring.close()
    assert ring.closed
    assert "closed" in repr(ring)
    for call in (lambda: ring.put(b"x"), ring.get, ring.try_get, ring.qsize, lambda: ring.capacity):
        with pytest.raises(dwcp.Closed):
            call()


def test_closing_leaves_messages_in_hand_their_memory(make: Callable[[int], Any]) -> None:
    ring = make(100)
    ring.put(b"message")
    with ring.read() as view:
        ring.close()
        assert bytes(view) == b"message"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda ring: ring.put(), TypeError),
        (lambda ring: ring.put(b"", 1, 2, 3), TypeError),
        (lambda ring: ring.put(b"", later=1), TypeError),
        (lambda ring: ring.get(timeout=-1), ValueError),
        (lambda ring: ring.get(timeout="soon"), TypeError),
        (lambda ring: ring.reserve(-1), ValueError),
        (lambda ring: ring.reserve("x"), TypeError),
        (lambda ring: ring.reserve(101), ValueError),
        (lambda ring: ring.get_many(1.5), TypeError),
        (lambda ring: ring.put_many(5), TypeError),
    ],
)
def test_wrong_arguments_are_refused(
    make: Callable[[int], Any], call: Callable[[Any], Any], error: type[Exception]
) -> None:
    ring = make(100)
    with pytest.raises(error):
        call(ring)
    assert ring.empty()


def test_shutdown_lets_out_what_is_there(make: Callable[[int], Any]) -> None:
    ring = make(100)
    ring.put_many([b"a", b"b"])
    ring.shutdown()
    assert ring.is_shut_down
    assert not ring.try_put(b"c")
    for put in (lambda: ring.put(b"c"), lambda: ring.reserve(1), lambda: ring.put_many([b"c"])):
        with pytest.raises(ShutDown):
            put()
    assert ring.get_many(5) == [b"a", b"b"]
    with pytest.raises(ShutDown):
        ring.get()
    other = make(100)
    other.put(b"dropped")
    other.shutdown(immediate=True)
    with pytest.raises(ShutDown):
        other.get(timeout=10)


@pytest.mark.parametrize("size", [40, 70_000])
def test_threads_pass_on_messages_and_all_wait(make: Callable[[int], Any], size: int) -> None:
    ring = make(size + 50)
    got: list[bytes] = []
    done = threading.Lock()
    each, producers = 200, 3

    def produce(number: int) -> None:
        for i in range(each):
            ring.put(b"%d %d " % (number, i) + bytes(size))

    def consume() -> None:
        try:
            while True:
                with ring.read() as view:
                    message = bytes(view[:20]).split(b" ")
                with done:
                    got.append(b"%s %s" % (message[0], message[1]))
        except ShutDown:
            return

    workers = [threading.Thread(target=produce, args=(n,)) for n in range(producers)]
    consumers = [threading.Thread(target=consume) for _ in range(2)]
    for thread in (*workers, *consumers):
        thread.start()
    for thread in workers:
        thread.join(WAIT_SECONDS)
    ring.shutdown()
    for thread in consumers:
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
    assert sorted(got) == sorted(b"%d %d" % (n, i) for n in range(producers) for i in range(each))


@pytest.mark.thread_unsafe
def test_a_signal_handler_ends_a_wait(
    make: Callable[[int], Any], interruption: Callable[[], type[Exception]]
) -> None:
    ring = make(100)
    with pytest.raises(interruption()):
        ring.get()


def test_event_loops_wait_on_both_sides(make: Callable[[int], Any]) -> None:
    ring = make(16)

    async def produce() -> None:
        for i in range(200):
            await ring.aput(b"%d" % i)

    async def main() -> None:
        producer = asyncio.ensure_future(produce())
        for i in range(200):
            assert await asyncio.wait_for(ring.aget(), WAIT_SECONDS) == b"%d" % i
        await producer
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ring.aget(), 0.01)
        ring.put(b"not lost")
        assert await asyncio.wait_for(ring.aget(), WAIT_SECONDS) == b"not lost"
        with pytest.raises(ValueError, match="at most 16 bytes"):
            await ring.aput(bytes(17))
        waiter = asyncio.ensure_future(ring.aget())
        await asyncio.sleep(0)
        ring.shutdown()
        with pytest.raises(ShutDown):
            await asyncio.wait_for(waiter, WAIT_SECONDS)
        with pytest.raises(ShutDown):
            await ring.aput(b"x")

    asyncio.run(main())


@pytest.mark.thread_unsafe
def test_the_ring_of_threads_is_not_for_other_processes() -> None:
    ring = ByteRing(100)
    ring.put(b"the parent's")
    with pytest.raises(TypeError):
        pickle.dumps(ring)
    child = os.fork()
    if child == 0:
        try:
            ring.get()
        except dwcp.Error:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert ring.get() == b"the parent's"


def test_the_room_of_a_ring_is_what_it_says(make_ring: Callable[[int], Any]) -> None:
    ring = make_ring(20)
    assert ring.capacity == 20
    assert ring.used_bytes() == 0
    ring.put(b"abc")
    assert ring.used_bytes() == 16
    assert ring.try_put(b"12345678") is True
    assert ring.try_put(b"") is False
    with ring.read():
        assert ring.used_bytes() == 32
