"""From a change in the publisher's memory to a verified state in another process."""

import socket
import subprocess
import sys

import numpy as np

from dwcp import isa
from dwcp.replica import Publisher

from .states import MIB, random_state, with_changed_lines

_FOLLOWER = """
import sys
from dwcp.replica import Replica
with Replica(sys.argv[1]) as replica:
    replica.wait()
    print("ready", flush=True)
    sys.stdin.read()
"""

# Reads states of a given length into one buffer and answers each with a byte.
_RECEIVER = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as peer:
    state = memoryview(bytearray(int(sys.argv[3])))
    while True:
        filled = 0
        while filled < len(state):
            count = peer.recv_into(state[filled:])
            if count == 0:
                raise SystemExit
            filled += count
        peer.sendall(b"!")
"""


class Replicate:
    """Publish to acknowledged by a replica in another process over loopback; state of 64 MiB.

    full_copy sends the whole state over a plain socket and waits for a byte.
    """

    params = ([isa.active()], [64 * MIB], [0.0001, 0.01])
    param_names = ("tier", "size", "changed_lines")

    def setup(self, tier: str, size: int, share: float) -> None:
        first = random_state(size)
        second = with_changed_lines(first, share)
        self.lines = np.flatnonzero(first[::64] != second[::64]) * 64
        self.state = first
        self.publisher = Publisher(self.state)
        host, port = self.publisher.listen("127.0.0.1:0")
        self.follower = self.start(_FOLLOWER, f"{host}:{port}")
        self.follower.stdout.readline()
        self.publisher.wait()
        self.wire_bytes = 0
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            self.receiver = self.start(_RECEIVER, "127.0.0.1", str(port), str(size))
            self.peer, _ = server.accept()
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self, code: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", code, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def teardown(self, tier: str, size: int, share: float) -> None:
        self.publisher.close()
        self.peer.close()
        for process in (self.follower, self.receiver):
            process.communicate()

    def volume(self, tier: str, size: int, share: float) -> int:
        return size

    def time_dwcp(self, tier: str, size: int, share: float) -> None:
        self.state[self.lines] ^= 1
        self.wire_bytes = self.publisher.publish().wire_bytes
        self.publisher.wait()

    def time_full_copy(self, tier: str, size: int, share: float) -> None:
        self.peer.sendall(self.state)
        self.peer.recv(1)

    def track_wire_bytes(self, tier: str, size: int, share: float) -> int:
        self.time_dwcp(tier, size, share)
        return self.wire_bytes
