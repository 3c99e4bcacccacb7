"""The demo's closing tables."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from .output import Reporter, duration, ratio, size
from .scenario import LINK_BITS_PER_SECOND, Result, Transfers, checks_passed

_CHECKS = {
    "integrity_check": "PRAGMA integrity_check says ok",
    "rows_equal": "number of rows of each table",
    "contents_equal": "contents of tables, SHA-256",
    "bytes_equal": "bytes of the file, SHA-256",
}
_NOTE = """\
Bytes are the relay's count, both ways. Time is from the start of sending to
the receiver's word: of a full copy, that it has all bytes; of a delta, from
publish() until it is verified and in the replica's file.
* calculated from the full copies above; all other lines were measured"""


def _row(table: Table, name: str, part: Transfers, style: str | None = None) -> None:
    count = max(1, part.count)
    table.add_row(
        name,
        str(part.count),
        size(part.wire_bytes),
        duration(part.seconds),
        size(part.wire_bytes / count),
        duration(part.seconds / count),
        style=style,
    )


def instead(result: Result) -> Transfers:
    """Calculate what full copies in place of the deltas would take, from those that were sent."""
    full, count = result.full, result.deltas.count
    return Transfers(
        count, round(full.wire_bytes / full.count * count), full.seconds / full.count * count
    )


def _transfers(result: Result) -> Table:
    table = Table(
        title=f"{size(result.state_bytes)} of SQLite over a link of "
        f"{LINK_BITS_PER_SECOND / 1e9:.0f} Gbit/s",
        box=box.ROUNDED,
        title_justify="left",
    )
    table.add_column("", no_wrap=True)
    for title in ("count", "bytes", "time", "bytes each", "time each"):
        table.add_column(title, justify="right", no_wrap=True)
    _row(table, "full copy", result.full)
    _row(table, "keyframe", result.keyframe)
    _row(table, "delta", result.deltas, "bold green")
    _row(table, "delta after SIGKILL", result.resumed)
    table.add_section()
    full = instead(result)
    _row(table, "copies for deltas*", full, "dim")
    table.add_row(
        "deltas win by",
        "",
        ratio(full.wire_bytes, result.deltas.wire_bytes),
        ratio(full.seconds, result.deltas.seconds),
        style="bold",
    )
    return table


def _verification(result: Result) -> Table:
    count = len(result.verdicts)
    table = Table(
        title=f"{count} states opened from the replica with SQLite",
        box=box.ROUNDED,
        title_justify="left",
    )
    table.add_column("check against the source", no_wrap=True)
    table.add_column("passed", justify="right", no_wrap=True)
    for name, passed in checks_passed(result.verdicts).items():
        style = "green" if passed == count else "bold red"
        table.add_row(_CHECKS[name], f"[{style}]{passed} of {count}[/]")
    return table


def _figures(part: Transfers) -> dict[str, Any]:
    return {"count": part.count, "wire_bytes": part.wire_bytes, "seconds": round(part.seconds, 6)}


def show(result: Result, seconds: float, reporter: Reporter) -> None:
    """Print the tables, or the event "result".

    Parameters
    ----------
    result
        What the demo measured.
    seconds
        How long all of it took.
    reporter
        Where to print.
    """
    count, full = len(result.verdicts), instead(result)
    if not reporter.as_json:
        reporter.console.print()
        reporter.console.print(_transfers(result))
        reporter.console.print(_NOTE, style="dim")
        reporter.console.print()
        reporter.console.print(_verification(result))
        verdict = "[bold green]all checks passed[/]"
        if result.failures:
            verdict = f"[bold red]{len(result.failures)} checks failed[/]"
        reporter.console.print(
            f"{verdict} after {result.transactions:,} transactions that changed "
            f"{result.rows_changed:,} rows; {seconds:.1f} s in all"
        )
    reporter.event(
        "result",
        None,
        good=not result.failures,
        failures=result.failures,
        state_bytes=result.state_bytes,
        transactions=result.transactions,
        rows_changed=result.rows_changed,
        full_copies=_figures(result.full),
        keyframe=_figures(result.keyframe),
        deltas=_figures(result.deltas),
        resumed=_figures(result.resumed),
        cut_bytes=result.cut_bytes,
        missed_states=result.missed_states,
        full_copies_instead=_figures(full),
        bytes_ratio=round(full.wire_bytes / max(1, result.deltas.wire_bytes), 2),
        seconds_ratio=round(full.seconds / max(1e-9, result.deltas.seconds), 2),
        checks={"count": count, "passed": checks_passed(result.verdicts)},
        seconds=round(seconds, 3),
    )
