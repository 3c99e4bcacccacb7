"""Commands as processes that always end with their test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import dwcp

TIMEOUT_SECONDS = 20.0
Event = dict[str, Any]


def environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    found = dict(os.environ)
    found.pop("DWCP_TOKEN", None)
    found["COLUMNS"] = "100"
    # The commands must be those of the package under test, wherever it was imported from.
    package = str(Path(dwcp.__file__).parent.parent)
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (package, found.get("PYTHONPATH"))))
    for name, value in changes.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


def run(*arguments: str | Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "dwcp", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(changes),
        check=False,
    )


class Command:
    """A running command that prints JSON events."""

    def __init__(self, arguments: Sequence[str | Path], changes: Mapping[str, str | None]) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._closed = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dwcp", *map(str, arguments), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(changes),
        )
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=target) for target in (self._read, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def wait(self, name: str, accept: Callable[[Event], bool] = lambda event: True) -> Event:
        """Wait for the first event of that name that `accept` takes."""

        def found() -> Event | None:
            for event in self.events:
                if event["event"] == name and accept(event):
                    return event
            return None

        with self._changed:
            self._changed.wait_for(lambda: found() or self._closed, TIMEOUT_SECONDS)
            event = found()
            seen = list(self.events)
        if event is None:
            self.kill()
            pytest.fail(f"no event {name!r} among {seen}; stderr: {''.join(self._errors)}")
        return event

    def names(self) -> list[str]:
        with self._changed:
            return [event["event"] for event in self.events]

    def end(self, signum: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; the exit code and what was said on stderr."""
        self._process.send_signal(signum)
        return self.finish()

    def finish(self) -> tuple[int, str]:
        """Wait for the end; the exit code and what was said on stderr."""
        try:
            code = self._process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the command did not end; stderr: {''.join(self._errors)}")
        self._close()
        return code, "".join(self._errors)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(TIMEOUT_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None


Start = Callable[..., Command]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start commands; those that still run are killed after the test."""
    commands: list[Command] = []

    def begin(*arguments: str | Path, **changes: str | None) -> Command:
        command = Command(arguments, changes)
        commands.append(command)
        return command

    yield begin
    for command in commands:
        if command.running:
            command.kill()
