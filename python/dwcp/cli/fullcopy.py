"""What a replica costs without deltas: the whole file over the same link, timed."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .exits import CommandError
from .relay import Link

_TIMEOUT_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FullCopy:
    """One full copy that was really sent.

    Attributes
    ----------
    wire_bytes
        Bytes that crossed the link, both ways.
    seconds
        From the first byte sent to the receiver's word that all have arrived.
    """

    wire_bytes: int
    seconds: float


def send(path: Path, link: Link) -> FullCopy:
    """Send a file through the link to a receiver that only counts.

    That favours the full copy: nothing is checked, compressed or written by the receiver.

    Parameters
    ----------
    path
        File to send.
    link
        Link to send it over.

    Raises
    ------
    CommandError
        The link broke.
    """
    size_bytes = path.stat().st_size
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT_SECONDS)
        host, port = listener.getsockname()[:2]
        receiver = threading.Thread(target=_receive, args=(listener, size_bytes), daemon=True)
        receiver.start()
        before = link.forwarded_bytes
        address = link.forward((host, port))
        with socket.create_connection(address, timeout=_TIMEOUT_SECONDS) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with path.open("rb") as file:
                started = time.perf_counter()
                connection.sendfile(file)
                if connection.recv(1) != b"k":
                    raise CommandError("the link broke while a full copy was sent")
                seconds = time.perf_counter() - started
        receiver.join()
    return FullCopy(link.forwarded_bytes - before, seconds)


def _receive(listener: socket.socket, size_bytes: int) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        buffer = bytearray(_CHUNK_BYTES)
        missing = size_bytes
        while missing > 0 and (count := connection.recv_into(buffer)):
            missing -= count
        if missing == 0:
            connection.sendall(b"k")
            # Waiting for the sender's end keeps its last word from being cut off by a reset.
            connection.recv(1)
