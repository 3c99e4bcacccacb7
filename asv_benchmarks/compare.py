"""Times contestants in turns and prints ratios of minima.

    python asv_benchmarks/compare.py [TOPIC] [--suite NAME] [--tier NAME] [--rounds N] [--json]
                                     [--plots DIRECTORY]

Each case runs its contestants one after the other, round after round, and keeps the best of each:
what else the machine does hits all of them alike. A ratio above 1 means that dwcp is faster.
"""

import argparse
import functools
import importlib
import itertools
import json
import pkgutil
import platform
import sys
import timeit
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.contestants import Calls, Contest, MissingPeerError
from rich.console import Console
from rich.table import Table

import benchmarks
import dwcp

# One measurement is at least this long, so that the clock's own cost disappears.
MEASURE_SECONDS_MIN = 0.01


# Instruction sets are compared at this size, which fits into the first-level cache.
TIER_BYTES = 16 << 10


def suites(topic: str | None = None) -> Iterator[type]:
    for module_info in pkgutil.iter_modules(benchmarks.__path__):
        if not module_info.name.startswith("bench_"):
            continue
        if topic not in (None, module_info.name.removeprefix("bench_")):
            continue
        module = importlib.import_module(f"benchmarks.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and is_suite(value):
                yield value


def is_suite(value: type) -> bool:
    return any(name.startswith("time_dwcp") for name in dir(value))


def topics() -> list[str]:
    return [
        info.name.removeprefix("bench_")
        for info in pkgutil.iter_modules(benchmarks.__path__)
        if info.name.startswith("bench_")
    ]


def timers(instance: Any, case: tuple[Any, ...]) -> dict[str, timeit.Timer]:
    """For each contestant; those of Calls without a method around the call.

    What a suite does `before` each call is not timed.
    """
    if isinstance(instance, Calls):
        made = {}
        for name in instance.contestants:
            function, arguments = instance.calls[name]
            names = {f"a{i}": value for i, value in enumerate(arguments)}
            made[name] = timeit.Timer(f"f({', '.join(names)})", globals={"f": function, **names})
        return made
    return {
        name.removeprefix("time_"): timeit.Timer(
            functools.partial(getattr(instance, name), *case),
            functools.partial(instance.before, *case) if hasattr(instance, "before") else "pass",
        )
        for name in dir(instance)
        if name.startswith("time_")
    }


def calls_for(timer: timeit.Timer) -> int:
    """How many calls make one measurement."""
    calls = 1
    while timer.timeit(calls) < MEASURE_SECONDS_MIN:
        calls *= 2
    return calls


@dataclass
class Measured:
    """Best seconds of one call for each contestant, what it works on, and what a suite tracks.

    Of a Contest, the seconds are those of an item.
    """

    seconds: dict[str, float]
    volume_bytes: int | None
    tracked: dict[str, float]


def measure(suite: Any, case: tuple[Any, ...], rounds: int) -> Measured:
    instance = suite()
    instance.setup(*case)
    try:
        work = timers(instance, case)
        once = hasattr(instance, "before")
        calls = {name: 1 if once else calls_for(timer) for name, timer in work.items()}
        best = dict.fromkeys(work, float("inf"))
        names = list(work)
        for turn in range(rounds):
            # Each begins once: who follows a slow contestant finds the shared cache cold.
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                best[name] = min(best[name], work[name].timeit(calls[name]) / calls[name])
        tracked = {
            name.removeprefix("track_"): getattr(instance, name)(*case)
            for name in dir(instance)
            if name.startswith("track_")
        }
        if isinstance(instance, Contest):
            items = {name: value / instance.count for name, value in best.items()}
            return Measured(items, None, tracked)
        return Measured(best, instance.volume(*case), tracked)
    finally:
        if hasattr(instance, "teardown"):
            instance.teardown(*case)


def cases(suite: Any, tier: str | None) -> Iterator[tuple[Any, ...]]:
    for case in itertools.product(*suite.params):
        if tier is None or suite.param_names[0] != "tier" or case[0] == tier:
            yield case


def duration(seconds: float) -> str:
    for unit, scale in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 1000:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def is_peer(name: str) -> bool:
    return name != "ceiling" and not name.startswith("dwcp")


def row(suite: Any, case: tuple[Any, ...], measured: Measured) -> dict[str, Any]:
    seconds = measured.seconds
    peers = [name for name in seconds if is_peer(name)]
    best_peer = min(peers, key=seconds.__getitem__)
    best_dwcp = min((n for n in seconds if n.startswith("dwcp")), key=seconds.__getitem__)
    found = {
        "suite": suite.__name__,
        "case": dict(zip(suite.param_names, case, strict=True)),
        "seconds": seconds,
        "ratio": {
            f"{peer}/{ours}": seconds[peer] / seconds[ours]
            for ours in seconds
            if ours.startswith("dwcp")
            for peer in peers
        },
        "tracked": measured.tracked,
        "best_peer": best_peer,
        "best_dwcp": best_dwcp,
        "best_ratio": seconds[best_peer] / seconds[best_dwcp],
    }
    if measured.volume_bytes is not None:
        found["gigabytes_per_second"] = {
            name: measured.volume_bytes / s / 1e9 for name, s in seconds.items()
        }
    return found


def coloured(ratio: float) -> str:
    return f"[{'green' if ratio >= 1 else 'red'}]{ratio:.2f}[/]"


def show_calls(console: Console, suite: Any, rows: list[dict[str, Any]]) -> None:
    """One line a size, the winner marked, and the ratio to the best peer."""
    tier = rows[0]["case"]["tier"]
    title = f"{suite.__name__}: {suite.__doc__.splitlines()[0]} Instruction set {tier}."
    table = Table(title=title, title_justify="left")
    for name in ("size", *rows[0]["seconds"], "dwcp : best peer"):
        table.add_column(name, justify="right")
    for item in rows:
        seconds = item["seconds"]
        winner = min((n for n in seconds if n != "ceiling"), key=lambda name: seconds[name])
        cells = [f"{item['case']['size']:,}"]
        for name, value in seconds.items():
            text = f"{duration(value)} {item['gigabytes_per_second'][name]:.3g} GB/s"
            cells.append(f"[bold]* {text}[/]" if name == winner else text)
        cells.append(coloured(item["best_ratio"]))
        table.add_row(*cells)
    console.print(table)


def show_contest(console: Console, suite: Any, rows: list[dict[str, Any]]) -> None:
    """What one item takes, the winner marked, the best of ours to the best peer, and counts."""
    title = f"{suite.__name__}: {suite.__doc__.splitlines()[0]} Time for one {suite.item}."
    table = Table(title=title, title_justify="left")
    tracked = rows[0]["tracked"]
    for name in (*suite.param_names, *rows[0]["seconds"], "dwcp : best peer", *tracked):
        table.add_column(name, justify="right")
    for item in rows:
        winner = min(item["seconds"], key=item["seconds"].__getitem__)
        cells = [f"{value:,}" for value in item["case"].values()]
        for name, value in item["seconds"].items():
            text = duration(value)
            cells.append(f"[bold]* {text}[/]" if name == winner else text)
        cells.append(coloured(item["best_ratio"]))
        cells += [f"{value:,.6g}" for value in item["tracked"].values()]
        table.add_row(*cells)
    console.print(table)


def show(console: Console, suite: Any, rows: list[dict[str, Any]]) -> None:
    if issubclass(suite, Contest):
        show_contest(console, suite, rows)
        return
    if issubclass(suite, Calls):
        by_tier = itertools.groupby(rows, key=lambda item: item["case"]["tier"])
        for _, of_tier in by_tier:
            show_calls(console, suite, list(of_tier))
        return
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
            cells.append(coloured(value))
        cells += [f"{value:,.6g}" for value in item["tracked"].values()]
        table.add_row(*cells)
    console.print(table)


def tier_ratios(selected: list[Any], rounds: int) -> list[dict[str, Any]]:
    """Each suite that has the size, on the portable code and on the best instruction set."""
    rows = []
    for suite in selected:
        if not issubclass(suite, Calls) or TIER_BYTES not in suite.params[1]:
            continue
        best = dwcp.isa.available()[-1]
        times = {
            tier: measure(suite, (tier, TIER_BYTES), rounds).seconds["dwcp"]
            for tier in ("scalar", best)
        }
        rows.append(
            {"suite": suite.__name__, "tier": best, "seconds": times}
            | {"tier_ratio": times["scalar"] / times[best]}
        )
    return rows


def show_tiers(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"Against the portable code, {TIER_BYTES:,} bytes", title_justify="left")
    for name in ("suite", "scalar", rows[0]["tier"], "ratio"):
        table.add_column(name, justify="right")
    for item in rows:
        times = [duration(value) for value in item["seconds"].values()]
        table.add_row(item["suite"], *times, f"{item['tier_ratio']:.1f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topic", nargs="?", choices=topics(), help="only the suites of this topic")
    parser.add_argument("--suite", help="only this class of asv_benchmarks/benchmarks")
    parser.add_argument("--tier", default=dwcp.isa.active(), help="instruction set, or 'all'")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="one JSON object per case")
    parser.add_argument("--plots", type=Path, help="write plots and Markdown tables there")
    options = parser.parse_args()
    tier = None if options.tier == "all" else options.tier
    if tier is not None and tier not in dwcp.isa.available():
        parser.error(f"--tier must be 'all' or one of {', '.join(dwcp.isa.available())}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    selected = [s for s in suites(options.topic) if options.suite in (None, s.__name__)]
    if not selected:
        parser.error(f"--suite must be one of {', '.join(s.__name__ for s in suites())}")

    console = Console(width=None if sys.stdout.isatty() else 220)
    if not options.json:
        console.print(
            f"dwcp {dwcp.__version__}, NumPy {np.__version__}, Python {platform.python_version()}, "
            f"{platform.machine()}, instruction sets {', '.join(dwcp.isa.available())}; "
            f"best of {options.rounds} rounds; ratios above 1: dwcp is faster"
        )
    results: dict[Any, list[dict[str, Any]]] = {}
    try:
        for suite in selected:
            rows = results[suite] = []
            for case in cases(suite, tier):
                rows.append(row(suite, case, measure(suite, case, options.rounds)))
                if options.json:
                    print(json.dumps(rows[-1]), flush=True)
            if not options.json:
                show(console, suite, rows)
    except MissingPeerError as error:
        sys.exit(f"compare.py: {error}")
    tier_rows = tier_ratios(selected, options.rounds)
    for item in tier_rows if options.json else []:
        print(json.dumps(item), flush=True)
    if tier_rows and not options.json:
        show_tiers(console, tier_rows)
    if options.plots is not None:
        import report  # needs matplotlib, which measuring does not

        report.write(options.plots, options.topic or "all", results, tier_rows)
        if not options.json:
            console.print(f"plots and tables: {options.plots}")


if __name__ == "__main__":
    main()
