"""What the commands print: a live line for people, one JSON object per line for machines."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: float) -> str:
    """Bytes with a decimal unit, as 67.1 MB."""
    value = float(count)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            break
        value /= 1000
    if unit == "B":
        return f"{value:.0f} B"
    return f"{value:.2f} {unit}" if value < 9.995 else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds with a unit that suits them, as 12.3 ms."""
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"


def percent(part: float, whole: float) -> str:
    """Share in percent; "-" where there is no whole."""
    if whole <= 0:
        return "-"
    value = 100 * part / whole
    return "<0.01%" if 0 < value < 0.005 else f"{value:.2f}%"


def ratio(whole: float, part: float) -> str:
    """How many times `part` fits into `whole`, as 189x; "-" where nothing was sent."""
    if part <= 0:
        return "-"
    value = whole / part
    return f"{value:,.0f}x" if value >= 99.5 else f"{value:.1f}x"


def rate(count: float, seconds: float) -> str:
    """Bytes a second in GB/s."""
    return f"{count / seconds / 1e9:.2f} GB/s" if seconds > 0 else "-"


def digest(value: int) -> str:
    """Write a 64-bit digest as all commands do."""
    return f"{value:016x}"


class Reporter:
    """Where a command tells what happens. All methods may be called from any thread.

    With `as_json` each event is one JSON object on a line of its own on stdout. Otherwise events
    are sentences, and the newest `status` stays as the last line of a terminal. Where stdout is
    not a terminal each status is a line.

    Parameters
    ----------
    as_json
        Print JSON lines instead of text.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._live: Live | None = None
        if not as_json and self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Reporter:
        """Start the live line, where there is one."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the last status on the screen and give the terminal back."""
        if self._live is not None:
            self._live.stop()

    def event(self, name: str, text: str | None, /, **fields: Any) -> None:
        """Tell that something happened.

        Parameters
        ----------
        name
            The event's name, for machines.
        text
            The event as a sentence, in rich markup; None: not worth one.
        fields
            What JSON says besides: anything that `json.dumps` takes.
        """
        if self.as_json:
            line = json.dumps({"event": name, "time": round(time.time(), 6), **fields})
            with self._lock:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
        elif text is not None:
            self.console.print(text)

    def status(self, fields: Sequence[str], note: RenderableType | None = None) -> None:
        """Show the newest figures: in the live line, or as a line where there is no terminal.

        Parameters
        ----------
        fields
            The figures, the most important first; those that do not fit are left out.
        note
            A further line below; only on a terminal.
        """
        if self.as_json:
            return
        if self._live is None:
            self.console.print("  ".join(fields), markup=False)
            return
        line = Text(" ", no_wrap=True)
        for index, field in enumerate(fields):
            more = Text(("  " if index else "") + field)
            if line.cell_len + more.cell_len > self.console.width - 1:
                break
            line.append_text(more)
        shown: RenderableType = line if note is None else Group(line, note)
        self._live.update(shown, refresh=True)
