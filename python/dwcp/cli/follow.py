"""``dwcp follow``: keep a verified replica on disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .exits import CommandError, guarded
from .options import (
    JsonOption,
    TokenFileOption,
    TokenOption,
    check_address,
    client_context,
    read_token,
)
from .output import Reporter, digest


class _Session:
    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def updated(self, update: Any) -> None:
        if update.kind == "keyframe":
            self._reporter.event("keyframe", None)
        self._reporter.event(
            "applied",
            None,
            sequence=update.sequence,
            wire_bytes=update.wire_bytes,
            seconds=update.seconds,
            digest=digest(update.digest),
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
    once: Annotated[
        bool, typer.Option("--once", help="End with code 0 after the first complete state.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            min=0.001,
            help="Seconds after which to give up with code 1 if no complete state has arrived.",
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
            address, path=copy, token=secret, ssl_context=context, on_update=session.updated
        )
        try:
            if not replica.wait(timeout=timeout):
                raise CommandError(f"no complete state within {timeout:g} seconds")
            while not once:
                time.sleep(3600)
        finally:
            replica.close()
            reporter.event(
                "stopped",
                f"stopped at sequence {replica.sequence}",
                sequence=replica.sequence,
            )
