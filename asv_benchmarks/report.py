"""Plots and Markdown tables of what compare.py measured."""

import json
import platform
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from benchmarks.contestants import Calls, Contest

# Peers by topic.
PACKAGES = {
    "checksum": (
        "numpy", "isal", "zlib-ng", "deflate", "fastcrc", "crc32c-rs", "crc32c", "google-crc32c",
        "awscrt", "imagecodecs", "xxhash", "pyfastcdc",
    ),
    "processes": ("cloudtoid-interprocess", "kickmsg", "membridge", "iceoryx2", "faster-fifo"),
}  # fmt: skip
# Okabe and Ito's colours, which colour-blind people can tell apart, in an order of contrast.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C510A", "#999999",
    "#000000",
)  # fmt: skip
MARKERS = "sD^vPXo*<"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def versions(topic: str) -> str:
    """Of the Python, and of the peers that are installed."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES.get(topic, ()):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def size_label(size: float) -> str:
    for unit, scale in (("M", 1 << 20), ("K", 1 << 10)):
        if size >= scale:
            return f"{size / scale:g} {unit}"
    return f"{size:g}"


def save(figure: Any, folder: Path, name: str) -> None:
    for ending in ("svg", "png"):
        figure.savefig(folder / f"{name}.{ending}", dpi=130)
    plt.close(figure)


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def title(suite: Any) -> str:
    return str(suite.__doc__.splitlines()[0].rstrip("."))


def draw(
    folder: Path,
    suite: Any,
    x: list[float],
    lines: dict[str, list[float]],
    labels: dict[str, str],
    *,
    logarithmic: bool = False,
) -> None:
    """One line for each contestant, ours thick; `ceiling` is dashed.

    `labels` are those of the axes, `x` and `y`, of the ceiling, and what stands `under` the title.
    """
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    styles = zip(COLOURS, MARKERS, strict=True)
    for name, values in sorted(lines.items(), key=lambda item: not item[0].startswith("dwcp")):
        if name == "ceiling":
            axes.plot(x, values, "--", color="#666666", linewidth=1.2, label=labels["ceiling"])
            continue
        colour, marker = next(styles)
        ours = name.startswith("dwcp")
        axes.plot(
            x, values, color=colour, marker=marker, markersize=6 if ours else 4,
            linewidth=3 if ours else 1.4, zorder=3 if ours else 2, label=name,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(x, [size_label(value) for value in x])
    axes.minorticks_off()
    axes.set_xlabel(labels["x"])
    axes.set_ylabel(labels["y"])
    if logarithmic:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        f"{title(suite)}, from Python\n{processor()}, {labels['under']}{date.today().isoformat()}",
        loc="left",
        fontsize=10,
    )
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    save(figure, folder, suite.__name__.lower())


def plot_calls(folder: Path, suite: Any, rows: list[dict[str, Any]]) -> None:
    """GB/s against size: ours, peers, and memchr, which only reads."""
    lines = {
        name: [row["gigabytes_per_second"][name] for row in rows] for name in rows[0]["seconds"]
    }
    labels = {
        "x": "bytes a call",
        "y": "GB/s",
        "ceiling": "ceiling (memchr)",
        "under": f"{rows[0]['case']['tier']}, ",
    }
    draw(folder, suite, [row["case"]["size"] for row in rows], lines, labels)


def plot_contest(folder: Path, suite: Any, rows: list[dict[str, Any]]) -> None:
    """What one item takes against the first parameter."""
    lines = {name: [row["seconds"][name] * 1e9 for row in rows] for name in rows[0]["seconds"]}
    first = suite.param_names[0]
    labels = {"x": first, "y": f"ns for one {suite.item}", "under": ""}
    draw(folder, suite, [row["case"][first] for row in rows], lines, labels, logarithmic=True)


def contest_table(suite: Any, rows: list[dict[str, Any]]) -> str:
    contestants = list(rows[0]["seconds"])
    lines = []
    for row in rows:
        seconds = row["seconds"]
        winner = min(seconds, key=seconds.__getitem__)
        cells = [f"{value:,}" for value in row["case"].values()]
        for name in contestants:
            cell = f"{seconds[name] * 1e9:,.0f}"
            cells.append(f"**{cell}**" if name == winner else cell)
        lines.append([*cells, f"{row['best_ratio']:.2f} ({row['best_peer']})"])
    head = [*suite.param_names, *contestants, "dwcp : best peer"]
    return "\n\n".join(
        [
            f"### {title(suite)}",
            f"Nanoseconds for one {suite.item}.",
            markdown_table(head, lines),
        ]
    )


def calls_table(suite: Any, rows: list[dict[str, Any]]) -> str:
    contestants = list(rows[0]["seconds"])
    lines = []
    for row in rows:
        ratio = row["best_ratio"]
        cells = [size_label(row["case"]["size"])]
        for name in contestants:
            small = row["case"]["size"] < 4096
            rate = row["gigabytes_per_second"][name]
            cell = f"{row['seconds'][name] * 1e9:.0f} ns" if small else f"{rate:.1f}"
            cells.append(f"**{cell}**" if name == "dwcp" and ratio >= 1 else cell)
        verdict = f"{ratio:.2f}" if ratio >= 1 else f"{ratio:.2f} (loses to {row['best_peer']})"
        lines.append([*cells, verdict])
    head = ["bytes", *contestants, "dwcp : best peer"]
    return f"### {title(suite)}\n\n{markdown_table(head, lines)}"


def write(
    folder: Path, topic: str, results: dict[Any, list[dict[str, Any]]], tiers: list[dict[str, Any]]
) -> None:
    """Plots, tables and raw results."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        f"# Benchmarks: {topic}",
        f"Measured on {date.today().isoformat()} by `ci/bench {topic}` on "
        f"{processor()}; {versions(topic)}.",
        "Best of the rounds of one run in which all took turns. Bold: the fastest.",
    ]
    if any(issubclass(suite, Calls) for suite in results):
        parts.append(
            "Nanoseconds a call below 4 KiB, GB/s from there on. Bold where dwcp is the fastest. "
            "The ceiling is memchr, which reads every byte once."
        )
    for suite, rows in results.items():
        if issubclass(suite, Calls):
            plot_calls(folder, suite, rows)
            parts.append(calls_table(suite, rows))
        elif issubclass(suite, Contest):
            # A line needs more than one place.
            if len({row["case"][suite.param_names[0]] for row in rows}) > 1:
                plot_contest(folder, suite, rows)
                parts.append(f"![{title(suite)}]({suite.__name__.lower()}.svg)")
            parts.append(contest_table(suite, rows))
    if tiers:
        lines = [[item["suite"], f"{item['tier_ratio']:.1f}"] for item in tiers]
        parts.append(f"### {tiers[0]['tier']} against the portable code, 16 KiB")
        parts.append(markdown_table(["suite", "times as fast"], lines))
    (folder / f"{topic}.md").write_text("\n\n".join(parts) + "\n")
    raw = [json.dumps(row) for rows in results.values() for row in rows]
    raw += [json.dumps(item) for item in tiers]
    (folder / f"{topic}.jsonl").write_text("\n".join(raw) + "\n")
