"""Facts about this machine, read from the kernel's files and from the core library.

A fact that cannot be had is None, and the reason stands in `Facts.unknown` under its name.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dwcp.topology import Topology, topology

_HUGE_PAGES = Path("/sys/kernel/mm/hugepages")
_TRANSPARENT = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_CONGESTION = Path("/proc/sys/net/ipv4")


class Facts:
    """Sections of facts, each a dict, and why the missing ones are missing.

    Attributes
    ----------
    sections
        Section name to its facts; values are what JSON can hold, None where unknown.
    unknown
        "section.fact" to the reason why it is not known.
    """

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Any]] = {}
        self.unknown: dict[str, str] = {}

    def add(self, section: str, fact: str, read: Callable[[], Any]) -> None:
        """Put down what `read` returns, or why it could not."""
        value = None
        try:
            value = read()
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self.unknown[f"{section}.{fact}"] = f"{where}{error.strerror or error}"
        except (LookupError, ValueError, AttributeError, ImportError) as error:
            self.unknown[f"{section}.{fact}"] = str(error.args[0]) if error.args else repr(error)
        self.sections.setdefault(section, {})[fact] = value


def cpu_model() -> str:
    """Name of the processor, from /proc/cpuinfo."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    if found is None:
        raise LookupError(f"{path} names no model")
    return found.group(1).strip()


def caches(machine: Topology) -> list[dict[str, Any]]:
    """Level, type, size and sharing CPUs of each cache."""
    if not machine.caches:
        raise LookupError("the kernel lists none")
    names = ("level", "type", "size_bytes", "line_bytes", "cpus")
    return [{name: getattr(cache, name) for name in names} for cache in machine.caches]


def tree(machine: Topology) -> list[dict[str, Any]]:
    """Memory nodes, in them the sockets, in them the cores, in them the CPUs."""
    nodes = []
    for node in machine.nodes:
        sockets: dict[int, dict[int, list[int]]] = {}
        for cpu in machine.cpus:
            if cpu.node == node.id:
                sockets.setdefault(cpu.socket, {}).setdefault(cpu.core, []).append(cpu.id)
        nodes.append(
            {
                "node": node.id,
                "memory_bytes": node.memory_bytes,
                "distances": node.distances,
                "sockets": [
                    {
                        "socket": socket,
                        "cores": [{"core": core, "cpus": cpus} for core, cpus in cores.items()],
                    }
                    for socket, cores in sockets.items()
                ],
            }
        )
    return nodes


def transparent_huge_pages() -> str:
    """Read the setting in force: always, madvise or never."""
    text = _TRANSPARENT.read_text()
    found = re.search(r"\[(\w+)\]", text)
    if found is None:
        raise ValueError(f"{_TRANSPARENT} marks no setting: {text.strip()}")
    return found.group(1)


def huge_pages() -> list[dict[str, int]]:
    """Size, number reserved and number free of each pool of huge pages."""
    pools = []
    for folder in sorted(_HUGE_PAGES.iterdir(), key=lambda item: int(re.sub(r"\D", "", item.name))):
        pools.append(
            {
                "page_bytes": int(re.sub(r"\D", "", folder.name)) << 10,
                "reserved": int((folder / "nr_hugepages").read_text()),
                "free": int((folder / "free_hugepages").read_text()),
            }
        )
    return pools


def memory_total_bytes() -> int:
    """Memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _core() -> dict[str, Any]:
    """Ask the core library for what it probed by itself."""
    try:
        module = importlib.import_module("dwcp._core.machine")
    except ImportError:
        # Submodules of an extension are attributes, and not always importable by name.
        module = importlib.import_module("dwcp._core").machine
    info: dict[str, Any] = module.info()
    return info


def _version(package: str) -> str:
    version = getattr(importlib.import_module(package), "__version__", None)
    if not isinstance(version, str):
        raise LookupError(f"{package} does not tell its version")
    return version


def _field(source: dict[str, Any] | str, name: str) -> Callable[[], Any]:
    """Read `name` of the core's facts; a string instead of facts is why there are none."""

    def read() -> Any:
        if isinstance(source, str):
            raise LookupError(source)
        if source.get(name) is None:
            raise LookupError(f"the core library does not tell {name}")
        return source[name]

    return read


def _isa(facts: Facts) -> None:
    def ask(name: str) -> Callable[[], Any]:
        def read() -> Any:
            from dwcp import isa

            value = getattr(isa, name)()
            return value if isinstance(value, str) else list(value)

        return read

    for name in ("built", "available", "active"):
        facts.add("isa", name, ask(name))
    facts.add("isa", "forced_by_DWCP_ISA", lambda: os.environ.get("DWCP_ISA") or None)


def gather() -> Facts:
    """Read everything; nothing is guessed.

    Returns
    -------
    Facts
        What is known and why the rest is not.
    """
    facts = Facts()
    core: dict[str, Any] | str
    try:
        core = _core()
    except (ImportError, AttributeError) as error:
        core = f"the core library offers no machine facts: {error}"
    facts.add("software", "dwcp", lambda: _version("dwcp"))
    facts.add("software", "python", platform.python_version)
    facts.add("software", "python_implementation", platform.python_implementation)
    facts.add("software", "python_gil", lambda: getattr(sys, "_is_gil_enabled", lambda: True)())
    facts.add("software", "numpy", lambda: _version("numpy"))
    facts.add("software", "kernel", lambda: f"{platform.system()} {platform.release()}")
    facts.add("software", "libraries", _field(core, "versions"))
    _isa(facts)
    facts.add("processor", "architecture", platform.machine)
    facts.add("processor", "model", cpu_model)
    facts.add("processor", "cpus_online", os.cpu_count)
    machine = topology()
    facts.add("processor", "cpus_allowed", lambda: machine.usable)
    facts.add("processor", "cpu_quota", lambda: machine.quota)
    facts.add("processor", "topology", lambda: tree(machine))
    facts.add("processor", "caches", lambda: caches(machine))
    facts.add("processor", "last_level_cache_bytes", _field(core, "last_level_cache_bytes"))
    facts.add("processor", "xor_streaming_min_bytes", _field(core, "xor_streaming_min_bytes"))
    facts.add("memory", "total_bytes", memory_total_bytes)
    facts.add("memory", "page_bytes", lambda: os.sysconf("SC_PAGE_SIZE"))
    facts.add("memory", "numa_nodes_online", lambda: [node.id for node in machine.nodes])
    facts.add("memory", "numa_library", _field(core, "numa_available"))
    facts.add("memory", "numa_nodes", _field(core, "numa_nodes"))
    facts.add("memory", "transparent_huge_pages", transparent_huge_pages)
    facts.add("memory", "huge_pages", huge_pages)
    facts.add("io", "io_uring", _field(core, "io_uring"))
    facts.add("io", "io_uring_reason", _field(core, "io_uring_reason"))
    congestion = _CONGESTION / "tcp_congestion_control"
    available = _CONGESTION / "tcp_available_congestion_control"
    facts.add("io", "congestion_control", lambda: congestion.read_text().strip())
    facts.add("io", "congestion_controls_available", lambda: available.read_text().split())
    return facts
