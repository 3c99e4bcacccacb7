"""``dwcp demo``: the whole path on this machine, on a real database, in seconds."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .exits import CheckError, guarded
from .options import Codec, JsonOption
from .output import Reporter

_PARTS = ("source.sqlite", "replica.sqlite")


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Make a temporary folder, or use the user's, which stays."""
    if keep is None:
        path = Path(tempfile.mkdtemp(prefix="dwcp-demo-"))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise typer.BadParameter(f"{keep} is not empty", param_hint="--keep")
    yield keep


@guarded
def demo(
    size_mb: Annotated[
        int, typer.Option("--size-mb", min=1, max=1024, help="Least size of the database, in MiB.")
    ] = 64,
    batches: Annotated[
        int,
        typer.Option("--batches", min=4, max=1000, help="Batches of transactions, at least 4."),
    ] = 14,
    codec: Annotated[
        Codec, typer.Option("--codec", help="Second stage of the encoder.")
    ] = Codec.zstd,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="DIR",
            help="Make the database and the replica in this empty folder, and leave them there.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replicate a real SQLite database, kill the follower, resume it, and check every state.

    A database is made in a temporary folder and changed by real transactions. After each batch it
    is published, over a relay that lets 1 Gbit/s through, to a follower in a second process. Every
    replica is opened with SQLite, checked and compared with the source, byte by byte too. Midway
    the follower is killed by SIGKILL while a delta is on the wire, and started again. Full copies
    of the file are sent over the same relay for comparison.

    The exit code is 3 if any check fails.
    """
    from .scenario import Scenario
    from .summary import show

    reporter = Reporter(as_json)
    if not as_json:
        reporter.console.print(
            "✓ integrity_check ok; rows, contents and bytes equal to the source", style="dim"
        )
    started = time.perf_counter()
    with _folder(keep) as folder:
        source, copy = (folder / name for name in _PARTS)
        with Scenario(source, copy, size_mb << 20, codec.value, reporter) as scenario:
            result = scenario.run(batches)
    show(result, time.perf_counter() - started, reporter)
    if keep is not None and not as_json:
        reporter.console.print(f"The database and its replica are in {keep}.", markup=False)
    if result.failures:
        raise CheckError("; ".join(result.failures))
