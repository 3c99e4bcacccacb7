"""Plots and Markdown tables of what compare.py measured."""

import json
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from benchmarks.contestants import Calls

PACKAGES = (
    "numpy", "isal", "zlib-ng", "deflate", "fastcrc", "crc32c-rs", "crc32c", "google-crc32c",
    "awscrt", "imagecodecs", "xxhash", "pyfastcdc",
)  # fmt: skip
# Okabe and Ito's colours, which colour-blind people can tell apart, in an order of contrast.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C510A")
MARKERS = "sD^vPXo"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def versions() -> str:
    found = []
    for name in PACKAGES:
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


def plot(folder: Path, suite: Any, rows: list[dict[str, Any]]) -> None:
    """GB/s against size: ours, peers, and memchr, which only reads."""
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    sizes = [row["case"]["size"] for row in rows]
    names = [name for name in rows[0]["seconds"] if name not in ("dwcp", "ceiling")]
    for name, colour, marker in zip(["dwcp", *names], COLOURS, MARKERS, strict=False):
        rates = [row["gigabytes_per_second"][name] for row in rows]
        ours = name == "dwcp"
        axes.plot(
            sizes, rates, color=colour, marker=marker, markersize=6 if ours else 4,
            linewidth=3 if ours else 1.4, zorder=3 if ours else 2, label=name,
        )  # fmt: skip
    if "ceiling" in rows[0]["seconds"]:
        ceiling = [row["gigabytes_per_second"]["ceiling"] for row in rows]
        axes.plot(sizes, ceiling, "--", color="#666666", linewidth=1.2, label="ceiling (memchr)")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [size_label(size) for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("bytes a call")
    axes.set_ylabel("GB/s")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        f"{suite.__doc__.splitlines()[0].rstrip('.')}, from Python\n"
        f"{processor()}, {rows[0]['case']['tier']}, {date.today().isoformat()}",
        loc="left",
        fontsize=10,
    )
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    for ending in ("svg", "png"):
        figure.savefig(folder / f"{suite.__name__.lower()}.{ending}", dpi=130)
    plt.close(figure)


def table(suite: Any, rows: list[dict[str, Any]]) -> str:
    contestants = list(rows[0]["seconds"])
    head = ["bytes", *contestants, "dwcp : best peer"]
    lines = [f"### {suite.__doc__.splitlines()[0].rstrip('.')}", "", " | ".join(["", *head, ""])]
    lines.append("|" + "---|" * len(head))
    for row in rows:
        ratio = row["ratio"][f"{row['best_peer']}/dwcp"]
        cells = [size_label(row["case"]["size"])]
        for name in contestants:
            small = row["case"]["size"] < 4096
            rate = row["gigabytes_per_second"][name]
            cell = f"{row['seconds'][name] * 1e9:.0f} ns" if small else f"{rate:.1f}"
            cells.append(f"**{cell}**" if name == "dwcp" and ratio >= 1 else cell)
        verdict = f"{ratio:.2f}" if ratio >= 1 else f"{ratio:.2f} (loses to {row['best_peer']})"
        lines.append(" | ".join(["", *cells, verdict, ""]))
    return "\n".join(line.strip() for line in lines)


def write(
    folder: Path, topic: str, results: dict[Any, list[dict[str, Any]]], tiers: list[dict[str, Any]]
) -> None:
    """Plots, tables and raw results of the suites whose contestants are single calls."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        f"# Benchmarks: {topic}",
        f"Measured on {date.today().isoformat()} by `ci/bench {topic}` on "
        f"{processor()}, Python {platform.python_version()}; {versions()}.",
        "Nanoseconds a call below 4 KiB, GB/s from there on, best of the rounds of one run in "
        "which all took turns. Bold where dwcp is the fastest. The ceiling is memchr, which reads "
        "every byte once.",
    ]
    for suite, rows in results.items():
        if not issubclass(suite, Calls):
            continue
        plot(folder, suite, rows)
        parts.append(table(suite, rows))
    if tiers:
        lines = [f"### {tiers[0]['tier']} against the portable code, 16 KiB", ""]
        lines += ["| suite | times as fast |", "|---|---|"]
        lines += [f"| {item['suite']} | {item['tier_ratio']:.1f} |" for item in tiers]
        parts.append("\n".join(lines))
    (folder / f"{topic}.md").write_text("\n\n".join(parts) + "\n")
    raw = [json.dumps(row) for rows in results.values() for row in rows]
    raw += [json.dumps(item) for item in tiers]
    (folder / f"{topic}.jsonl").write_text("\n".join(raw) + "\n")
