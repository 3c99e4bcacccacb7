"""Runs the C++ program bench_queues and writes a table and plots of what it prints.

python asv_benchmarks/queues.py PROGRAM [--kind KIND] [--rounds N] [--plots DIRECTORY]
"""

import argparse
import json
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from report import COLOURS, markdown_table, processor, save

OURS = COLOURS[0]
OTHERS = "#B0B0B0"


def run(program: Path, kind: str, rounds: int) -> list[dict[str, Any]]:
    found = []
    command = [program, kind, str(rounds), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found.append(json.loads(line))
            print(text(found[-1]), flush=True)
    if process.returncode != 0:
        raise SystemExit(f"{program} ended with status {process.returncode}")
    return found


def text(row: dict[str, Any]) -> str:
    values = ", ".join(f"{name} {value:.1f}" for name, value in row["values"].items())
    return f"{row['title']}: {row['measure']}: {values}: {ratio(row)}"


def ratio(row: dict[str, Any]) -> str:
    """Of the bests, and the median of the rounds."""
    return f"{row['ratio']:.2f} ({row['median']:.2f})" if row["ratio"] else "no peer"


def less_is_better(row: dict[str, Any]) -> bool:
    return bool(row["measure"].endswith("ns"))


def table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row["values"]))
    lines = []
    for row in rows:
        best = min if less_is_better(row) else max
        winner = best(row["values"], key=row["values"].__getitem__)
        cells = [row["measure"]]
        for name in names:
            cell = f"{row['values'][name]:.1f}" if name in row["values"] else ""
            cells.append(f"**{cell}**" if name == winner else cell)
        lines.append([*cells, ratio(row)])
    head = ["work", *names, "dwcp : best peer"]
    return f"### {rows[0]['title'].capitalize()}\n\n{markdown_table(head, lines)}"


def plot(folder: Path, rows: list[dict[str, Any]]) -> str:
    """Bars for each work, ours in colour; returns the name of the file."""
    figure, grid = plt.subplots(2, 3, figsize=(10, 6), layout="constrained")
    for axes, row in zip(grid.flat, rows, strict=True):
        names = list(row["values"])
        colours = [OURS if name.startswith("dwcp") else OTHERS for name in names]
        bars = axes.barh(names, row["values"].values(), color=colours)
        axes.bar_label(bars, fmt="%.4g", fontsize=7, padding=2)
        axes.margins(x=0.2)
        axes.invert_yaxis()
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        better = "less" if less_is_better(row) else "more"
        axes.set_title(f"{row['measure']} ({better} is better)", fontsize=8, loc="left")
    figure.suptitle(
        f"Queues in C++, {rows[0]['title']}, items of 8 bytes\n"
        f"{processor()}, {date.today().isoformat()}",
        x=0.01, ha="left", fontsize=10,
    )  # fmt: skip
    name = rows[0]["title"].replace(", ", "-").replace(" ", "-")
    save(figure, folder, name)
    return f"{name}.svg"


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        "# Benchmarks: queues in C++",
        f"Measured on {date.today().isoformat()} by `ci/bench queues` on {processor()}. Best of "
        "the rounds of one run in which all took turns; two threads on two processors. The fastest "
        "is bold. The ratio is that of the best of ours and the best of the others; in brackets "
        "the median of the ratios of all rounds, because where a host moves the processors nearer "
        "and further, not all find them near as often.",
    ]
    for title in dict.fromkeys(row["title"] for row in rows):
        of_title = [row for row in rows if row["title"] == title]
        parts += [table(of_title), f"![{title}]({plot(folder, of_title)})"]
    (folder / "queues.md").write_text("\n\n".join(parts) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--kind", default="all")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--plots", type=Path, help="write plots and tables there")
    options = parser.parse_args()
    rows = run(options.program, options.kind, options.rounds)
    if options.plots is not None:
        write(options.plots, rows)
        print(f"plots and tables: {options.plots}")


if __name__ == "__main__":
    main()
