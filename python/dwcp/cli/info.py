"""``dwcp info``: what this machine offers, and which paths will be used and why."""

from __future__ import annotations

import itertools
import json
import mmap
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dwcp import delta

from .exits import guarded
from .machine import Facts, gather

_LABELS = {
    "dwcp": "dwcp",
    "python": "Python",
    "python_implementation": "implementation",
    "python_gil": "GIL enabled",
    "numpy": "NumPy",
    "cpus_online": "CPUs online",
    "cpus_allowed": "CPUs allowed",
    "cpu_quota": "CPU time quota",
    "last_level_cache_bytes": "last-level cache",
    "xor_streaming_min_bytes": "XOR bypasses caches from",
    "forced_by_DWCP_ISA": "forced by DWCP_ISA",
    "numa_nodes": "NUMA nodes used",
    "numa_nodes_online": "NUMA nodes online",
    "numa_library": "NUMA placement",
    "io_uring": "io_uring",
    "io_uring_reason": "io_uring probe",
    "congestion_control": "congestion control",
}


def _binary_size(count: int) -> str:
    """Bytes with the binary unit that caches and pages are sold in."""
    for scale, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= scale:
            value = count / scale
            return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"
    return f"{count} B"


def _ranges(numbers: list[int]) -> str:
    """Numbers as the kernel writes them: 0-3,8."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)


def _show_caches(caches: list[dict[str, Any]]) -> Iterator[str]:
    """One line for each kind of cache, however many processors have their own."""
    for (level, kind, size), alike in itertools.groupby(
        sorted(caches, key=_cache_kind), key=_cache_kind
    ):
        shared = [cache["cpus"] for cache in alike]
        name = f"L{level}{'' if kind == 'unified' else f' {kind}'} {_binary_size(size)}"
        if len(shared) > 1:
            yield f"{name}, {len(shared)} of them"
        else:
            yield f"{name}, CPU{'s' if len(shared[0]) > 1 else ''} {_ranges(shared[0])}"


def _cache_kind(cache: dict[str, Any]) -> tuple[int, str, int]:
    return cache["level"], cache["type"], cache["size_bytes"]


def _show_node(node: dict[str, Any]) -> list[str]:
    """A tree: the node, its sockets, their cores."""
    distances = ", ".join(map(str, node["distances"]))
    far = f", distances {distances}" if len(node["distances"]) > 1 else ""
    lines = [f"node {node['node']}, {_binary_size(node['memory_bytes'])}{far}"]
    for socket in node["sockets"]:
        last = socket is node["sockets"][-1]
        lines.append(f"{'└─' if last else '├─'} socket {socket['socket']}")
        for core in socket["cores"]:
            branch = "└─" if core is socket["cores"][-1] else "├─"
            cpus = _ranges(core["cpus"])
            lines.append(
                f"{'   ' if last else '│  '}{branch} core {core['core']}: "
                f"CPU{'s' if len(core['cpus']) > 1 else ''} {cpus}"
            )
    return lines


def _show_pool(pool: dict[str, int]) -> str:
    return f"{_binary_size(pool['page_bytes'])}: {pool['reserved']} reserved, {pool['free']} free"


def _show(name: str, value: Any) -> str:
    """One fact for people."""
    if name == "caches":
        return "\n".join(_show_caches(value))
    if name == "topology":
        return "\n".join(line for node in value for line in _show_node(node))
    if name == "huge_pages":
        return "\n".join(map(_show_pool, value)) or "none"
    if name == "libraries":
        return "\n".join(f"{library} {version}" for library, version in sorted(value.items()))
    if name.endswith("_bytes"):
        return _binary_size(value)
    if name in ("cpus_allowed", "numa_nodes_online"):
        return f"{_ranges(value)} ({len(value)})"
    if name == "cpu_quota" and value is None:
        return "no limit"
    if name == "forced_by_DWCP_ISA" and value is None:
        return "no"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _isa_path(facts: Facts) -> dict[str, str]:
    isa = facts.sections["isa"]
    choices = ", ".join(isa["available"] or ())
    if isa["active"] is None:
        why = facts.unknown["isa.active"]
    elif isa["forced_by_DWCP_ISA"]:
        why = f"forced by DWCP_ISA={isa['forced_by_DWCP_ISA']}"
    else:
        why = "the best that this build and this processor have in common"
    force = f"; force one by DWCP_ISA=NAME, where NAME is one of: {choices}" if choices else ""
    job = "compare, encode, apply, checksum"
    return {"job": job, "path": isa["active"] or "unknown", "why": why + force}


def _io_path(facts: Facts) -> dict[str, str]:
    if facts.sections["io"]["io_uring"]:
        why = "replicas move over plain TCP sockets; io_uring works here but no path uses it yet"
    else:
        why = "replicas move over plain TCP sockets, which need nothing special from the kernel"
    return {"job": "move frames", "path": "blocking TCP", "why": why}


def _publish_path() -> dict[str, str]:
    why = "one pass compares the file with the last published state; nothing is mapped or locked"
    return {"job": "read a published file", "path": "pread", "why": why}


def _tracking_path() -> dict[str, str]:
    # Private, because shared memory is never tracked by itself.
    memory = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with delta.DirtyTracker(memory) as tracker:
        why = tracker.reason or "the kernel notes the first write to each page; needs no privilege"
        path = {"job": "track writes to memory", "path": tracker.method, "why": why}
    memory.close()
    return path


def paths(facts: Facts) -> list[dict[str, str]]:
    """Which way each job will be done, and why.

    Parameters
    ----------
    facts
        What `gather` returned.

    Returns
    -------
    list
        Dicts of ``job``, ``path`` and ``why``.
    """
    return [_isa_path(facts), _publish_path(), _tracking_path(), _io_path(facts)]


def _print(facts: Facts) -> None:
    console = Console(highlight=False)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for section, values in facts.sections.items():
        title = section
        for name, value in values.items():
            reason = facts.unknown.get(f"{section}.{name}")
            shown = Text(_show(name, value)) if reason is None else Text("unknown", style="yellow")
            if reason is not None:
                shown.append(f" ({reason})", style="dim")
            label = _LABELS.get(name, name.removesuffix("_bytes").replace("_", " "))
            grid.add_row(Text(title, style="bold cyan"), Text(label, style="dim"), shown)
            title = ""
    for index, path in enumerate(paths(facts)):
        shown = Text(path["path"], style="bold").append(f": {path['why']}", style="not bold")
        title = "paths" if index == 0 else ""
        grid.add_row(Text(title, style="bold cyan"), Text(path["job"], style="dim"), shown)
    console.print(grid)


@guarded
def info(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Show what this machine offers, and which paths will be used and why.

    What cannot be found out is shown as unknown, with the reason. In JSON it is null, and the
    reason stands under "unknown".
    """
    facts = gather()
    if as_json:
        found = {**facts.sections, "paths": paths(facts), "unknown": facts.unknown}
        typer.echo(json.dumps(found, indent=2))
    else:
        _print(facts)
