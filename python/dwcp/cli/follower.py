"""A ``dwcp follow`` in a process of its own, for the demo to watch, kill and start again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from .exits import CommandError

_STOP_SECONDS = 5.0

Event = dict[str, Any]


class Follower:
    """One run of ``dwcp follow ADDRESS COPY --json``.

    Parameters
    ----------
    address
        Host and port to follow.
    copy
        Path of the replica.
    """

    def __init__(self, address: tuple[str, int], copy: Path) -> None:
        host, port = address
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._ended = False
        # The signals of a terminal go to the whole group; the demo alone decides when this ends.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dwcp", "follow", f"{host}:{port}", str(copy), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        self._errors = b""
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Follower:
        """Use the process."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors = self._process.stderr.read()

    def wait_for(self, wanted: Callable[[Event], bool], timeout: float) -> Event:
        """Wait for an event that `wanted` accepts; those of the past count.

        Parameters
        ----------
        wanted
            Says whether this is the event.
        timeout
            Seconds to wait at most.

        Returns
        -------
        dict
            The event.

        Raises
        ------
        CommandError
            The time is over, or the process ended.
        """

        def found() -> Event | None:
            return next((event for event in self.events if wanted(event)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, timeout)
            event = found()
        if event is not None:
            return event
        if self._ended:
            for reader in self._readers:
                reader.join(_STOP_SECONDS)
            said = self._errors.decode(errors="replace").strip()
            raise CommandError(f"the follower ended with code {self._process.wait()}: {said}")
        raise CommandError(f"the follower said nothing of the kind within {timeout:.0f} seconds")

    def wait_applied(self, sequence: int, timeout: float) -> Event:
        """Wait until the state `sequence` is applied and on disk."""
        return self.wait_for(
            lambda event: event["event"] == "applied" and event["sequence"] >= sequence, timeout
        )

    def kill(self) -> None:
        """End the process by SIGKILL, which it cannot see coming, and wait until it is gone."""
        self._process.kill()
        self._finish()

    def close(self) -> None:
        """End the process by SIGTERM, or by SIGKILL where that does not help."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._finish()

    def _finish(self) -> None:
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
