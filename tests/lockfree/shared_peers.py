"""What the processes of test_shared.py do: a module of its own, which a spawned one can import."""

import signal
import zlib

from dwcp._core.lockfree import Messages
from dwcp.lockfree import ShutDown


def echo(there: Messages, back: Messages) -> None:
    try:
        while True:
            back.put(there.get())
    except ShutDown:
        return


def produce(ring: Messages, producer: int, count: int) -> None:
    for i in range(count):
        body = f"{producer} {i} ".encode() + bytes(i % 300)
        ring.put(zlib.crc32(body).to_bytes(4, "little") + body)


def produce_for_ever(ring: Messages, first: int) -> None:
    number = first
    while True:
        body = number.to_bytes(8, "little") + bytes(number % 500)
        ring.put(zlib.crc32(body).to_bytes(4, "little") + body)
        number += 1


def check(message: bytes) -> int:
    assert zlib.crc32(message[4:]).to_bytes(4, "little") == message[:4]
    return int.from_bytes(message[4:12], "little")


def consume_for_ever(ring: Messages) -> None:
    while True:
        check(ring.get())


def sleep_with_reservation(ring: Messages, ready: Messages) -> None:
    with ring.reserve(50) as view:
        view[:] = b"x" * 50
        ready.put(b"")
        signal.pause()
