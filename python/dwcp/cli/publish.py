"""``dwcp publish``: follow a file and send its changes to replicas."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwcp.errors import SourceChanged

from .exits import CommandError, guarded
from .options import (
    Codec,
    JsonOption,
    TokenFileOption,
    TokenOption,
    check_address,
    read_token,
    server_context,
)
from .output import Reporter, digest, duration, percent, rate, ratio, size
from .source import SourceWatch

if TYPE_CHECKING:
    from dwcp.replica import Publisher, PublishResult

# How long the loop rests at most before it looks again at who is connected.
_LOOK_SECONDS = 0.05
# A file that changes whenever it is read is told about once in so many tries.
_TRIES_TOLD = 20


class _Session:
    """What the command does over and over, and what it has told so far.

    Parameters
    ----------
    publisher
        What sends the states; already listening.
    watch
        Tells when to read the file.
    reporter
        Where to tell what happens.
    """

    def __init__(self, publisher: Publisher, watch: SourceWatch, reporter: Reporter) -> None:
        self._publisher = publisher
        self._watch = watch
        self._reporter = reporter
        self._peers: frozenset[str] = frozenset()
        self._result: PublishResult | None = None
        self._started = 0.0
        # Replicas that come later did not wait for the state, so their time says nothing.
        self._is_timed = False
        self._latency: float | None = None
        self._is_acknowledged = False
        self._tries = 0
        self.published = 1
        self.wire_bytes = 0

    @property
    def is_acknowledged(self) -> bool:
        """Whether a replica is connected and all of them have the newest state."""
        return self._is_acknowledged

    def publish(self) -> None:
        """Publish the file if it may have changed."""
        if not self._watch.changed():
            return
        started = time.perf_counter()
        try:
            result = self._publisher.publish()
        except SourceChanged as error:
            self._watch.forget()
            if self._tries % _TRIES_TOLD == 0:
                text = f"[yellow]not published:[/] {error}"
                self._reporter.event("source_changing", text, reason=str(error))
            self._tries += 1
            return
        self._tries = 0
        if result.wire_bytes == 0 and not result.is_keyframe:
            return
        self._result, self._started = result, started
        self._is_timed, self._latency = bool(self._peers), None
        self._is_acknowledged = False
        self.published += 1
        self.wire_bytes += result.wire_bytes
        self._reporter.event(
            "published",
            None,
            epoch=digest(result.epoch),
            sequence=result.sequence,
            state_bytes=result.state_length_bytes,
            changed_bytes=result.changed_bytes,
            wire_bytes=result.wire_bytes,
            keyframe=result.is_keyframe,
            seconds=result.seconds,
            digest=digest(self._publisher.digest),
        )
        self._show()

    def rest(self, seconds: float) -> None:
        """Pass the time until the next look, and tell who came, left, or has the newest state."""
        before = self._peers
        if self._is_acknowledged:
            time.sleep(seconds)
        elif self._publisher.wait(timeout=seconds):
            self._acknowledged(time.perf_counter() - self._started)
        # A connection that nothing was sent to has not shown yet that it is a replica's.
        peers = frozenset(
            peer.address for peer in self._publisher.connections if peer.sent_bytes > 0
        )
        for address in sorted(peers - before):
            text = f"[green]+[/] replica {address}"
            self._reporter.event("replica_connected", text, address=address)
        for address in sorted(before - peers):
            self._reporter.event("replica_left", f"[yellow]-[/] replica {address}", address=address)
        self._peers = peers
        if peers - before:
            # The newcomers need not have the newest state yet.
            self._is_acknowledged = self._publisher.wait(timeout=0)
        if peers != before:
            self._show()

    def _acknowledged(self, seconds: float) -> None:
        self._is_acknowledged = True
        if self._is_timed and self._latency is None:
            self._latency = seconds
        self._reporter.event(
            "acknowledged",
            None,
            sequence=self._publisher.sequence,
            seconds=self._latency,
            replicas=len(self._publisher.connections),
        )
        self._show()

    def _show(self) -> None:
        count = len(self._peers)
        replicas = f"{count} replica{'' if count == 1 else 's'}"
        state_bytes, result = self._publisher.state_length_bytes, self._result
        start = [f"seq {self._publisher.sequence}", size(state_bytes)]
        if result is None or result.is_keyframe:
            self._reporter.status([*start, "sent in full", replicas])
            return
        latency = "-" if self._latency is None else duration(self._latency)
        self._reporter.status(
            [
                *start,
                f"{percent(result.changed_bytes, state_bytes)} changed",
                f"{size(result.wire_bytes)} wire",
                ratio(state_bytes, result.wire_bytes),
                rate(state_bytes, result.seconds),
                f"latency {latency}",
                replicas,
            ]
        )


@guarded
def publish(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="File to publish: a regular file, a memory file or a block device.",
            show_default=False,
        ),
    ],
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="Where replicas connect; port 0: a free one."
        ),
    ] = "127.0.0.1:7700",
    codec: Annotated[
        Codec, typer.Option("--codec", help="Second stage of the encoder.")
    ] = Codec.zstd,
    level: Annotated[
        int | None,
        typer.Option(
            "--level",
            help="Level of the second stage; by default the codec's own.",
            show_default=False,
        ),
    ] = None,
    interval: Annotated[
        float,
        typer.Option("--interval", min=0.001, max=3600, help="Seconds between looks at the file."),
    ] = 0.1,
    always: Annotated[
        bool,
        typer.Option(
            "--always",
            help="Compare the contents at every look, whatever the file's times say: for writers "
            "that map the file into memory. Always so for block devices.",
        ),
    ] = False,
    token: TokenOption = None,
    token_file: TokenFileOption = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            "--tls-cert",
            metavar="FILE",
            help="Certificate and its chain, PEM; turns TLS on.",
            show_default=False,
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(
            "--tls-key",
            metavar="FILE",
            help="Private key, PEM, where it is not in the certificate's file.",
            show_default=False,
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow listening beyond loopback without TLS.")
    ] = False,
    once: Annotated[
        bool,
        typer.Option("--once", help="End when a replica has connected and has the newest state."),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            min=0.001,
            help="With --once: seconds after which to give up with code 1.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow FILE and send each change to all replicas that are connected.

    The file is read again whenever its size or its times have changed. What was modified while it
    was read is read once more. A file of another size, or another file in its place, is a new
    state that is sent in full.
    """
    from dwcp.replica import Publisher

    check_address(listen, "--listen")
    if timeout is not None and not once:
        raise typer.BadParameter("works only with --once", param_hint="--timeout")
    secret = read_token(token, token_file)
    context = server_context(tls_cert, tls_key)
    with contextlib.ExitStack() as stack:
        reporter = stack.enter_context(Reporter(as_json))
        watch = SourceWatch(file, always)
        # The publisher reads the file when it is made: from here on changes count.
        watch.changed()
        publisher = stack.enter_context(
            contextlib.closing(
                Publisher.from_file(file, codec=codec.value, level=level, token=secret)
            )
        )
        host, port = publisher.listen(listen, ssl_context=context, insecure=insecure)
        session = _Session(publisher, watch, reporter)
        reporter.event(
            "listening",
            f"[bold]dwcp publish[/] {file} ({size(publisher.state_length_bytes)}) on {host}:{port}",
            host=host,
            port=port,
            file=str(file),
            epoch=digest(publisher.epoch),
            sequence=publisher.sequence,
            state_bytes=publisher.state_length_bytes,
            digest=digest(publisher.digest),
            codec=codec.value,
            tls=context is not None,
        )
        stack.callback(_stopped, reporter, session)
        _loop(session, interval, once, timeout)


def _stopped(reporter: Reporter, session: _Session) -> None:
    reporter.event(
        "stopped",
        f"stopped; {session.published} states published, deltas of {size(session.wire_bytes)}",
        published=session.published,
        wire_bytes=session.wire_bytes,
    )


def _loop(session: _Session, interval: float, once: bool, timeout: float | None) -> None:
    end = None if timeout is None else time.monotonic() + timeout
    next_look = time.monotonic()
    while True:
        if time.monotonic() >= next_look:
            session.publish()
            next_look = time.monotonic() + interval
        session.rest(max(0.0, min(_LOOK_SECONDS, next_look - time.monotonic())))
        if once and session.is_acknowledged:
            return
        if end is not None and time.monotonic() >= end:
            raise CommandError(f"no replica had the state within {timeout:g} seconds")
