"""``dwcp publish``: follow a file and send its changes to replicas."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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

# How long the loop rests before it looks again at who is connected and what they have.
_LOOK_SECONDS = 0.02
# A file that changes whenever it is read is told about once in so many readings.
_READINGS_TOLD = 50


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
        self._peers: dict[str, int] = {}
        self._result: PublishResult | None = None
        self._started = 0.0
        self._latency: float | None = None
        self._unread = 0
        self.published = 0
        self.wire_bytes = 0

    @property
    def acknowledged(self) -> bool:
        """Whether a replica is connected and all of them have the newest state."""
        newest = self._publisher.sequence
        return bool(self._peers) and all(have >= newest for have in self._peers.values())

    def publish(self) -> None:
        """Publish the file if it may have changed."""
        from dwcp.errors import SourceChanged

        if not self._watch.changed():
            return
        started = time.perf_counter()
        try:
            result = self._publisher.publish()
        except SourceChanged as error:
            self._watch.forget()
            if self._unread % _READINGS_TOLD == 0:
                self._reporter.event("source_changing", f"reading again: {error}")
            self._unread += 1
            return
        self._unread = 0
        if result.changed_bytes == 0 and self._result is not None:
            return
        self._result, self._started, self._latency = result, started, None
        self.published += 1
        self.wire_bytes += result.wire_bytes
        self._reporter.event(
            "published",
            None,
            sequence=result.sequence,
            state_bytes=self._publisher.state_length_bytes,
            changed_bytes=result.changed_bytes,
            wire_bytes=result.wire_bytes,
            seconds=result.seconds,
            digest=digest(self._publisher.digest),
        )
        self._show()

    def look(self) -> None:
        """Tell who came, who left, and when all have the newest state."""
        peers = {peer.address: peer.sequence for peer in self._publisher.connections}
        for address in peers.keys() - self._peers.keys():
            self._reporter.event(
                "replica_connected", f"[green]+[/] replica {address}", address=address
            )
        for address in self._peers.keys() - peers.keys():
            self._reporter.event("replica_left", f"[yellow]-[/] replica {address}", address=address)
        moved = peers.keys() != self._peers.keys()
        self._peers = peers
        if self._result is not None and self._latency is None and self.acknowledged:
            self._latency = time.perf_counter() - self._started
            self._reporter.event(
                "acknowledged",
                None,
                sequence=self._result.sequence,
                seconds=self._latency,
                replicas=len(peers),
            )
            moved = True
        if moved:
            self._show()

    def _show(self) -> None:
        result, state_bytes = self._result, self._publisher.state_length_bytes
        if result is None:
            return
        latency = "-" if self._latency is None else duration(self._latency)
        count = len(self._peers)
        self._reporter.status(
            [
                f"seq {result.sequence}",
                size(state_bytes),
                f"{percent(result.changed_bytes, state_bytes)} changed",
                f"{size(result.wire_bytes)} wire",
                ratio(state_bytes, result.wire_bytes),
                rate(state_bytes, result.seconds),
                f"latency {latency}",
                f"{count} replica{'' if count == 1 else 's'}",
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
            state_bytes=publisher.state_length_bytes,
            codec=codec.value,
            tls=context is not None,
        )
        stack.callback(_stopped, reporter, session)
        _loop(session, interval, once, timeout)


def _stopped(reporter: Reporter, session: _Session) -> None:
    reporter.event(
        "stopped",
        f"stopped after {session.published} published states, {size(session.wire_bytes)}",
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
        session.look()
        if once and session.acknowledged:
            return
        if end is not None and time.monotonic() >= end:
            raise CommandError(f"no replica had the state within {timeout:g} seconds")
        time.sleep(max(0.0, min(_LOOK_SECONDS, next_look - time.monotonic())))
