"""Times the suite's contestants in turns and prints ratios of minima.

    python asv_benchmarks/compare.py [--suite NAME] [--tier NAME] [--rounds N] [--json]

Each case runs its time_* methods one after the other, round after round, and keeps the best of
each: what else the machine does hits all of them alike. A ratio above 1 means that dwcp is faster.
"""

import argparse
import functools
import importlib
import itertools
import json
import pkgutil
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import benchmarks
import dwcp

# One measurement is at least this long, so that the clock's own cost disappears.
MEASURE_SECONDS_MIN = 0.01


def suites() -> Iterator[type]:
    for module_info in pkgutil.iter_modules(benchmarks.__path__):
        if not module_info.name.startswith("bench_"):
            continue
        module = importlib.import_module(f"benchmarks.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and hasattr(value, "time_dwcp"):
                yield value


def calls_for(work: Callable[[], None]) -> int:
    """How many calls make one measurement."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            work()
        if time.perf_counter() - start >= MEASURE_SECONDS_MIN:
            return calls
        calls *= 2


@dataclass
class Measured:
    """Best seconds of one call for each contestant, and what else a suite tracks."""

    seconds: dict[str, float]
    volume_bytes: int
    tracked: dict[str, float]


def measure(suite: Any, case: tuple[Any, ...], rounds: int) -> Measured:
    instance = suite()
    instance.setup(*case)
    try:
        work = {
            name.removeprefix("time_"): functools.partial(getattr(instance, name), *case)
            for name in dir(instance)
            if name.startswith("time_")
        }
        calls = {name: calls_for(call) for name, call in work.items()}
        best = dict.fromkeys(work, float("inf"))
        for _ in range(rounds):
            for name, call in work.items():
                start = time.perf_counter()
                for _ in range(calls[name]):
                    call()
                best[name] = min(best[name], (time.perf_counter() - start) / calls[name])
        tracked = {
            name.removeprefix("track_"): getattr(instance, name)(*case)
            for name in dir(instance)
            if name.startswith("track_")
        }
        return Measured(best, instance.volume(*case), tracked)
    finally:
        instance.teardown(*case)


def cases(suite: Any, tier: str | None) -> Iterator[tuple[Any, ...]]:
    for case in itertools.product(*suite.params):
        if tier is None or case[0] == tier:
            yield case


def duration(seconds: float) -> str:
    for unit, scale in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 1000:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def row(suite: Any, case: tuple[Any, ...], measured: Measured) -> dict[str, Any]:
    ours = {name: s for name, s in measured.seconds.items() if name.startswith("dwcp")}
    peers = {name: s for name, s in measured.seconds.items() if name not in ours}
    rates = {name: measured.volume_bytes / s / 1e9 for name, s in measured.seconds.items()}
    return {
        "suite": suite.__name__,
        "case": dict(zip(suite.param_names, case, strict=True)),
        "seconds": measured.seconds,
        "gigabytes_per_second": rates,
        "ratio": {f"{p}/{o}": peers[p] / ours[o] for o in ours for p in peers},
        "tracked": measured.tracked,
    }


def show(console: Console, suite: type, rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"{suite.__name__}: {suite.__doc__.splitlines()[0]}", title_justify="left")
    names = list(rows[0]["case"])
    contestants = list(rows[0]["seconds"])
    for name in [*names, *contestants]:
        table.add_column(name, justify="right")
    for name in [*rows[0]["ratio"], *rows[0]["tracked"]]:
        table.add_column(name, justify="right")
    for item in rows:
        cells = [str(item["case"][name]) for name in names]
        for name in contestants:
            rate = item["gigabytes_per_second"][name]
            cells.append(f"{duration(item['seconds'][name])} {rate:.3g} GB/s")
        for value in item["ratio"].values():
            cells.append(f"[{'green' if value >= 1 else 'red'}]{value:.2f}[/]")
        cells += [f"{value:,.6g}" for value in item["tracked"].values()]
        table.add_row(*cells)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", help="only this class of asv_benchmarks/benchmarks")
    parser.add_argument("--tier", default=dwcp.isa.active(), help="instruction set, or 'all'")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="one JSON object per case")
    options = parser.parse_args()
    tier = None if options.tier == "all" else options.tier
    if tier is not None and tier not in dwcp.isa.available():
        parser.error(f"--tier must be 'all' or one of {', '.join(dwcp.isa.available())}")
    selected = [s for s in suites() if options.suite in (None, s.__name__)]
    if not selected:
        parser.error(f"--suite must be one of {', '.join(s.__name__ for s in suites())}")

    console = Console(width=None if sys.stdout.isatty() else 200)
    if not options.json:
        console.print(
            f"dwcp {dwcp.__version__}, NumPy {np.__version__}, Python {platform.python_version()}, "
            f"{platform.machine()}, instruction sets {', '.join(dwcp.isa.available())}; "
            f"best of {options.rounds} rounds; ratios above 1: dwcp is faster"
        )
    for suite in selected:
        rows = []
        for case in cases(suite, tier):
            rows.append(row(suite, case, measure(suite, case, options.rounds)))
            if options.json:
                print(json.dumps(rows[-1]), flush=True)
        if not options.json:
            show(console, suite, rows)


if __name__ == "__main__":
    main()
