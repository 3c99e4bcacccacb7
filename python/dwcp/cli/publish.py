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
from .output import Reporter, digest, size
from .source import SourceWatch

if TYPE_CHECKING:
    from dwcp.replica import Publisher

    from .serving import Session

# How long the loop rests at most before it looks again at who is connected.
_LOOK_SECONDS = 0.05


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

    from .serving import Session

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
            Publisher.from_file(file, codec=codec.value, level=level, token=secret)
        )
        host, port = publisher.listen(listen, ssl_context=context, insecure=insecure)
        session = Session(publisher, watch, reporter)
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
        session.show()
        stack.callback(_stopped, reporter, session)
        _loop(publisher, session, interval, once, timeout)


def _stopped(reporter: Reporter, session: Session) -> None:
    reporter.event(
        "stopped",
        f"stopped; {session.published} states published, deltas of {size(session.wire_bytes)}",
        published=session.published,
        wire_bytes=session.wire_bytes,
    )


def _loop(
    publisher: Publisher,
    session: Session,
    interval: float,
    once: bool,
    timeout: float | None,
) -> None:
    end = None if timeout is None else time.monotonic() + timeout
    next_look = time.monotonic()
    while True:
        if time.monotonic() >= next_look:
            session.publish()
            next_look = time.monotonic() + interval
        session.rest(max(0.0, min(_LOOK_SECONDS, next_look - time.monotonic())))
        if once and publisher.is_delivered:
            return
        if end is not None and time.monotonic() >= end:
            raise CommandError(f"no replica had the state within {timeout:g} seconds")
