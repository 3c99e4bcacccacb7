"""``dwcp follow``: keep a verified replica on disk."""

from __future__ import annotations

import contextlib
import errno
import queue
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dwcp.errors import CorruptFrame, PeerLost

from .exits import CommandError, explain, guarded
from .options import (
    JsonOption,
    TokenFileOption,
    TokenOption,
    check_address,
    client_context,
    read_token,
)
from .output import Reporter, digest, duration, rate, ratio, size

if TYPE_CHECKING:
    from dwcp.replica import Replica, Update

# After these a replica connects again.
_MENDABLE = (PeerLost, CorruptFrame)
# How long to wait for the next update before looking whether the connection is still there.
_LOOK_SECONDS = 0.05


class _Session:
    """Tells what a replica does.

    Parameters
    ----------
    reporter
        Where to tell it.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self._connects = 0
        self._failure: BaseException | None = None
        self._reason: str | None = None
        self._loaded: Update | None = None
        self.current = False
        self.applied = 0
        self.wire_bytes = 0

    def updated(self, update: Update) -> None:
        """Take an update; called in the replica's thread."""
        self._updates.put(update)

    def step(self, replica: Replica, seconds: float) -> None:
        """Tell what happened, waiting for at most `seconds`.

        Raises
        ------
        Error, OSError
            What stopped the replica.
        """
        with contextlib.suppress(queue.Empty):
            update = self._updates.get(timeout=seconds)
            self._look(replica)
            self._tell(update)
            return
        self._look(replica)
        # Raises what stopped the replica; that there is no state yet is no reason to stop.
        with contextlib.suppress(TimeoutError):
            replica.wait(0, timeout=0)

    def _look(self, replica: Replica) -> None:
        connects, failure = replica.stats.connects, replica.error
        if failure is not self._failure and isinstance(failure, _MENDABLE):
            self._failure = failure
            reason = explain(failure)
            # The same reason over and over is told once.
            if reason != self._reason:
                self._reason = reason
                text = f"[yellow]trying again:[/] {escape(reason)}"
                self._reporter.event("reconnecting", text, reason=reason)
        if connects != self._connects:
            self._connects, self._reason = connects, None
            self._reporter.event("connected", "[green]connected[/]", connects=connects)

    def _tell(self, update: Update) -> None:
        state = {
            "epoch": digest(update.epoch),
            "sequence": update.sequence,
            "state_bytes": update.state_length_bytes,
            "digest": digest(update.digest),
        }
        shown = f"sequence {update.sequence}, {size(update.state_length_bytes)}"
        if update.kind == "loaded":
            self._loaded = update
            self._reporter.event("loaded", f"on disk: {shown}", **state, seconds=update.seconds)
            return
        if update.kind == "current":
            self.current = True
            self._reporter.event("current", f"nothing newer than {shown}", **state)
            return
        if update.kind == "keyframe":
            text = f"whole state: {shown} as {size(update.wire_bytes)}"
            self._reporter.event(
                "keyframe", text, **state, wire_bytes=update.wire_bytes, seconds=update.seconds
            )
        elif self._loaded is not None:
            first = self._loaded.sequence
            text = f"[green]resumed[/] from sequence {first} by a delta"
            self._reporter.event("resumed", text, sequence=first, wire_bytes=update.wire_bytes)
        self._loaded = None
        self.applied += 1
        self.wire_bytes += update.wire_bytes
        self._reporter.event(
            "applied",
            None,
            **state,
            kind=update.kind,
            wire_bytes=update.wire_bytes,
            seconds=update.seconds,
        )
        self._reporter.status(
            [
                f"seq {update.sequence}",
                size(update.state_length_bytes),
                f"{size(update.wire_bytes)} wire",
                ratio(update.state_length_bytes, update.wire_bytes),
                rate(update.state_length_bytes, update.seconds),
                f"applied in {duration(update.seconds)}",
                f"verified {digest(update.digest)}",
            ]
        )


@guarded
def follow(
    address: Annotated[
        str,
        typer.Argument(
            metavar="HOST:PORT", help="Where the publisher listens.", show_default=False
        ),
    ],
    copy: Annotated[
        Path,
        typer.Argument(
            metavar="COPY", help="File of the replica; made if missing.", show_default=False
        ),
    ],
    token: TokenOption = None,
    token_file: TokenFileOption = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            "--tls-ca",
            metavar="FILE",
            help="Authority that signed the publisher's certificate, PEM; turns TLS on.",
            show_default=False,
        ),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="TLS with the authorities that this machine trusts.")
    ] = False,
    sync: Annotated[
        bool,
        typer.Option(
            "--sync", help="Force each state to the disk: survives a loss of power, and is slower."
        ),
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End with code 0 once COPY is what is published.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            min=0.001,
            help="Seconds after which to give up with code 1 if no state has been received.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Keep COPY a verified replica of what is published at HOST:PORT.

    COPY is a complete state whenever it exists. Started again after a crash, the replica resumes
    by what has changed since. A lost publisher is tried again until it is back.
    """
    from dwcp.replica import Replica

    check_address(address, "HOST:PORT")
    secret = read_token(token, token_file)
    context = client_context(tls_ca, tls)
    with Reporter(as_json) as reporter:
        session = _Session(reporter)
        replica = Replica(
            address,
            path=copy,
            token=secret,
            ssl_context=context,
            sync=sync,
            on_update=session.updated,
        )
        reporter.event(
            "following", f"[bold]dwcp follow[/] {address} {copy}", address=address, copy=str(copy)
        )
        try:
            _loop(session, replica, once, timeout)
        except OSError as error:
            # The disk's own errors do not say which file they are about.
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
                error.filename = str(copy)
            raise
        finally:
            replica.close()
            reporter.event(
                "stopped",
                f"stopped at sequence {replica.sequence}; {session.applied} states received, "
                f"{size(session.wire_bytes)}",
                sequence=replica.sequence,
                applied=session.applied,
                wire_bytes=session.wire_bytes,
            )


def _loop(session: _Session, replica: Replica, once: bool, timeout: float | None) -> None:
    end = None if timeout is None else time.monotonic() + timeout
    while not (once and (session.applied or session.current)):
        session.step(replica, _LOOK_SECONDS)
        if end is not None and not (session.applied or session.current) and time.monotonic() >= end:
            reason = f": {explain(replica.error)}" if replica.error is not None else ""
            raise CommandError(f"no complete state within {timeout:g} seconds{reason}")
