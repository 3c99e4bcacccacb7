"""What the replica tests share."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dwcp.replica import Publisher, Replica

# Long enough for a loaded machine, never waited for when things work.
TIMEOUT = 20.0


@pytest.fixture
def publish() -> Iterator[Callable[..., tuple[Publisher, str]]]:
    """Makes listening publishers; closes them at the end."""
    with ExitStack() as stack:

        def make(source: Any, listen: dict[str, Any] | None = None, **options: Any) -> Any:
            publisher = stack.enter_context(Publisher(source, **options))
            host, port = publisher.listen("127.0.0.1:0", **(listen or {}))
            return publisher, f"{host}:{port}"

        yield make


@pytest.fixture
def follow() -> Iterator[Callable[..., Replica]]:
    """Makes replicas; closes them at the end."""
    with ExitStack() as stack:

        def make(address: str, **options: Any) -> Replica:
            return stack.enter_context(Replica(address, **options))

        yield make


def namespace_command(kind: str) -> list[str]:
    """How to run a command in a namespace of its own; skips the test where that is not allowed."""
    command = ["unshare", kind]
    if os.geteuid() != 0:
        command.append("--map-root-user")
    probe = subprocess.run([*command, "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no namespaces here: {probe.stderr.decode().strip()}")
    return command
