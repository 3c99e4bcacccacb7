"""Messages from one process to another, beside other packages that do so.

A child process sends a burst of messages when it is told to, and the parent receives them. All
contestants copy the message in and out, unless they say otherwise. Those that have no call that
waits are called in a loop.
"""

import ctypes
import gc
import multiprocessing
import os
import struct
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from dwcp.lockfree import shared

from .contestants import Contest, load

SIZES = [64, 1024, 64 << 10, 1 << 20]
# Messages of a burst, and of how many of them there is room at once.
BURST = {64: 16384, 1024: 8192, 64 << 10: 512, 1 << 20: 64}
ROOM = {64: 4096, 1024: 2048, 64 << 10: 64, 1 << 20: 8}


def room(size: int) -> int:
    return ROOM[size] * (size + 16)


class Link:
    """One direction between two processes; each end is made by the process that uses it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"bench{uuid.uuid4().hex[:12]}"

    def sender(self) -> Callable[[bytes], Any]:
        raise NotImplementedError

    def receiver(self) -> Callable[[], Any]:
        raise NotImplementedError

    def remove(self) -> None:
        """Remove what the file system has of it: once, in the end."""

    def let_go(self) -> None:
        """Free what this process has of it."""
        self.__dict__.clear()
        gc.collect()


def until_true(attempt: Callable[[bytes], bool]) -> Callable[[bytes], None]:
    def call(data: bytes) -> None:
        while not attempt(data):
            pass

    return call


def until_some(attempt: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        while (found := attempt()) is None:
            pass
        return found

    return call


class OurRing(Link):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.ring = shared.ByteRing.create(None, room(size))

    def sender(self) -> Callable[[bytes], Any]:
        return self.ring.put

    def receiver(self) -> Callable[[], Any]:
        return self.ring.get


class OurRingInPlace(OurRing):
    """The receiver looks at the message where it is."""

    def receiver(self) -> Callable[[], Any]:
        read = self.ring.read

        def receive() -> int:
            with read() as view:
                return len(view)

        return receive


class OurQueue(Link):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.queue = shared.MpmcQueue.create(None, ROOM[size], size)

    def sender(self) -> Callable[[bytes], Any]:
        return self.queue.put

    def receiver(self) -> Callable[[], Any]:
        return self.queue.get


class Cloudtoid(Link):
    def sender(self) -> Callable[[bytes], Any]:
        self.publisher = load("cloudtoid_interprocess:Publisher")(self.name, self.capacity())
        return until_true(self.publisher.try_send)

    def receiver(self) -> Callable[[], Any]:
        self.subscriber = load("cloudtoid_interprocess:Subscriber")(self.name, self.capacity())
        return until_some(self.subscriber.try_receive)

    def capacity(self) -> int:
        return -(-room(self.size) // 4096) * 4096


class Kickmsg(Link):
    """It drops what does not fit, and so has room for all."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        native = load("kickmsg:SharedRegion"), load("kickmsg:Config"), load("kickmsg:ChannelType")
        self.region, config, kind = native[0], native[1](), native[2]
        config.max_subscribers = 1
        config.sub_ring_capacity = 1 << (BURST[size] - 1).bit_length()
        config.pool_size = 2 * config.sub_ring_capacity
        config.max_payload_size = size
        self.shared = self.region.create(f"/{self.name}", kind.PubSub, config)

    def sender(self) -> Callable[[bytes], Any]:
        self.publisher = load("kickmsg:Publisher")(self.region.open(f"/{self.name}"))
        return self.publisher.send

    def receiver(self) -> Callable[[], Any]:
        self.subscriber = load("kickmsg:Subscriber")(self.shared)
        return until_some(self.subscriber.try_receive)

    def remove(self) -> None:
        self.shared.unlink()


class Membridge(Link):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        # A power of two, and its header.
        capacity = 1 << (room(size) - 1).bit_length()
        self.memory = load("membridge:SharedMemory").create(f"/{self.name}", capacity + 24)
        self.ring = self.memory.spsc()

    def sender(self) -> Callable[[bytes], Any]:
        return until_true(self.ring.push)

    def receiver(self) -> Callable[[], Any]:
        return until_some(self.ring.pop)

    def remove(self) -> None:
        load("membridge:SharedMemory").remove(f"/{self.name}")


class FasterFifo(Link):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.queue = load("faster_fifo:Queue")(
            max_size_bytes=room(size), loads=bytes, dumps=lambda data: data
        )

    def sender(self) -> Callable[[bytes], Any]:
        return self.queue.put  # type: ignore[no-any-return]

    def receiver(self) -> Callable[[], Any]:
        return self.queue.get  # type: ignore[no-any-return]


class Iceoryx2(Link):
    def service(self) -> Any:
        load("iceoryx2:set_log_level")(load("iceoryx2:LogLevel").Error)
        self.node = load("iceoryx2:NodeBuilder").new().create(load("iceoryx2:ServiceType").Ipc)
        return (
            self.node.service_builder(load("iceoryx2:ServiceName").new(self.name))
            .publish_subscribe(load("iceoryx2:Slice")[ctypes.c_uint8])
            .subscriber_max_buffer_size(ROOM[self.size])
            .enable_safe_overflow(False)
            .open_or_create()
        )

    def sender(self) -> Callable[[bytes], Any]:
        self.opened = self.service()
        publisher = self.opened.publisher_builder().initial_max_slice_len(self.size).create()

        def send(data: bytes) -> None:
            sample = publisher.loan_slice_uninit(len(data))
            ctypes.memmove(sample.payload().as_ptr(), data, len(data))
            sample.assume_init().send()

        return send

    def receiver(self) -> Callable[[], Any]:
        self.opened = self.service()
        subscriber = self.opened.subscriber_builder().buffer_size(ROOM[self.size]).create()
        receive = until_some(subscriber.receive)
        size = self.size

        def copy() -> bytes:
            sample = receive()
            data = ctypes.string_at(sample.payload().as_ptr(), size)
            sample.delete()
            return data

        return copy


class Pipe(Link):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.reading, self.writing = multiprocessing.Pipe(duplex=False)

    def sender(self) -> Callable[[bytes], Any]:
        return self.writing.send_bytes

    def receiver(self) -> Callable[[], Any]:
        return self.reading.recv_bytes


class Child:
    """A process that works with links as often as it is told."""

    def __init__(self, start: Callable[[], Callable[[int], None]], links: Sequence[Link]) -> None:
        reading, self.order = os.pipe()
        ready, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.order)
                work = start()
                os.write(told, b"x")
                # Closing the pipe would not do: children that were started later have it, too.
                while (count := struct.unpack("q", os.read(reading, 8))[0]) > 0:
                    work(count)
                del work
                for link in links:
                    link.let_go()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(reading)
        os.close(told)
        assert os.read(ready, 1) == b"x", "the other process has ended"
        os.close(ready)

    def tell(self, count: int) -> None:
        os.write(self.order, struct.pack("q", count))

    def close(self) -> None:
        self.tell(0)
        os.close(self.order)
        os.waitpid(self.pid, 0)


LINKS: dict[str, type[Link]] = {
    "dwcp": OurRing,
    "dwcp_in_place": OurRingInPlace,
    "dwcp_queue": OurQueue,
    "cloudtoid": Cloudtoid,
    "kickmsg": Kickmsg,
    "membridge": Membridge,
    "faster_fifo": FasterFifo,
    "iceoryx2": Iceoryx2,
    "pipe": Pipe,
}


class Flow:
    """A burst: a contestant's receiver, and a child that sends."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.receive = link.receiver()
        self.child = Child(self.start, [link])

    def start(self) -> Callable[[int], None]:
        send = self.link.sender()
        message = bytes(range(256)) * (self.link.size // 256) or bytes(range(self.link.size))

        def work(count: int) -> None:
            for _ in range(count):
                send(message)

        return work

    def run(self, count: int) -> None:
        self.child.tell(count)
        receive = self.receive
        for _ in range(count):
            receive()

    def close(self) -> None:
        self.child.close()
        self.link.remove()
        del self.receive
        self.link.let_go()


class Echo:
    """There and back: a child that sends what it receives."""

    def __init__(self, there: Link, back: Link, work_seconds: float) -> None:
        self.work_seconds = work_seconds
        self.links = (there, back)
        self.receive = back.receiver()
        self.child = Child(self.start, self.links)
        self.send = there.sender()

    def start(self) -> Callable[[int], None]:
        receive = self.links[0].receiver()
        send = self.links[1].sender()

        def work(count: int) -> None:
            for _ in range(count):
                message = receive()
                end = time.perf_counter() + self.work_seconds
                while time.perf_counter() < end:
                    pass
                send(message)

        return work

    def run(self, count: int) -> None:
        self.child.tell(count)
        send, receive, message = self.send, self.receive, bytes(64)
        for _ in range(count):
            send(message)
            receive()

    def close(self) -> None:
        self.child.close()
        del self.send, self.receive
        for link in self.links:
            link.remove()
            link.let_go()


class Burst(Contest):
    """Messages that a child process sends as fast as it can."""

    contestants = tuple(LINKS)
    params: ClassVar = (SIZES,)
    param_names = ("size",)
    item = "message"

    def setup(self, size: int) -> None:
        self.count = BURST[size]
        self.running = {name: Flow(link(size)) for name, link in LINKS.items()}


class ProcessRoundTrip(Contest):
    """64 bytes to a child process and back, a hundred times.

    The child works for some time before it answers: those who wait without a loop sleep meanwhile.
    """

    contestants = tuple(name for name in LINKS if name != "dwcp_in_place")
    params: ClassVar = ([64], [0, 200])
    param_names = ("size", "work_us")
    item = "round trip"

    def setup(self, size: int, work_us: int) -> None:
        self.count = 100
        self.running = {
            name: Echo(LINKS[name](size), LINKS[name](size), work_us / 1e6)
            for name in self.contestants
        }
