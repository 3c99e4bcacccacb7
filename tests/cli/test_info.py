from __future__ import annotations

import json
import mmap
import os
import platform
from pathlib import Path

import pytest

from dwcp import delta, isa
from dwcp.cli import info as info_module
from dwcp.cli import machine

from .conftest import run


def test_json_names_the_active_instruction_set_and_the_software() -> None:
    done = run("info", "--json", DWCP_ISA=None)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["isa"]["available"] == isa.available()
    assert facts["isa"]["active"] == isa.available()[-1]
    assert facts["isa"]["forced_by_DWCP_ISA"] is None
    assert facts["software"]["python"] == platform.python_version()
    assert facts["processor"]["cpus_allowed"] == sorted(os.sched_getaffinity(0))
    assert {"liburing", "libnuma", "libzstd", "liblz4", "libxxhash"} <= set(
        facts["software"]["libraries"]
    )


def test_the_size_from_which_xor_bypasses_caches_is_shown() -> None:
    facts = json.loads(run("info", "--json").stdout)
    cache = facts["processor"]["last_level_cache_bytes"] or 32 << 20
    assert 0 < facts["processor"]["xor_streaming_min_bytes"] <= cache // 6 + 1
    assert "XOR bypasses caches from" in run("info").stdout


@pytest.mark.parametrize("name", isa.available())
def test_each_forced_instruction_set_is_the_active_one(name: str) -> None:
    facts = json.loads(run("info", "--json", DWCP_ISA=name).stdout)
    assert facts["isa"]["active"] == name
    path = facts["paths"][0]
    assert path["path"] == name
    assert f"forced by DWCP_ISA={name}" in path["why"]


def test_how_writes_to_memory_are_tracked_is_shown_with_the_reason() -> None:
    memory = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    tracker = delta.DirtyTracker(memory)
    paths = {path["job"]: path for path in json.loads(run("info", "--json").stdout)["paths"]}
    path = paths["track writes to memory"]
    assert path["path"] == tracker.method
    assert tracker.reason in path["why"]


def test_unknown_instruction_set_is_refused_with_the_choices() -> None:
    done = run("info", DWCP_ISA="mmx")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "DWCP_ISA" in last
    assert "'mmx'" in last
    assert all(name in last for name in isa.available())


def test_every_missing_fact_has_a_reason_and_every_reason_a_missing_fact() -> None:
    facts = json.loads(run("info", "--json").stdout)
    unknown = facts.pop("unknown")
    for place in unknown:
        section, fact = place.split(".")
        assert facts[section][fact] is None
        assert unknown[place]
    # These two are None when there is simply none.
    without = {"isa.forced_by_DWCP_ISA", "processor.cpu_quota"}
    missing = {
        f"{section}.{name}"
        for section, values in facts.items()
        if isinstance(values, dict)
        for name, value in values.items()
        if value is None
    }
    assert missing - without == set(unknown) - without


def test_text_shows_the_reason_of_a_missing_fact(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> str:
        raise LookupError("nobody wrote it down")

    monkeypatch.setattr(machine, "cpu_model", refuse)
    info_module.info(as_json=False)
    shown = capsys.readouterr().out
    assert "unknown (nobody wrote it down)" in " ".join(shown.split())


def test_missing_kernel_file_is_named() -> None:
    facts = machine.Facts()

    def read() -> str:
        return Path("/proc/there/is/no/such/file").read_text()

    facts.add("io", "thing", read)
    assert facts.sections["io"]["thing"] is None
    assert facts.unknown["io.thing"] == "/proc/there/is/no/such/file: No such file or directory"


def test_processors_are_shown_as_a_tree() -> None:
    nodes = json.loads(run("info", "--json").stdout)["processor"]["topology"]
    cpus = [
        cpu
        for node in nodes
        for socket in node["sockets"]
        for core in socket["cores"]
        for cpu in core["cpus"]
    ]
    assert set(os.sched_getaffinity(0)) <= set(cpus)
    shown = run("info").stdout
    assert f"node {nodes[0]['node']}, " in shown
    assert f"└─ socket {nodes[0]['sockets'][-1]['socket']}" in shown


def test_a_tree_of_two_nodes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cores = [{"core": 0, "cpus": [0, 2]}, {"core": 1, "cpus": [1]}]
    sockets = [{"socket": 0, "cores": cores}, {"socket": 1, "cores": cores[1:]}]
    node = {"node": 5, "memory_bytes": 3 << 30, "distances": [10, 21], "sockets": sockets}
    monkeypatch.setattr(machine, "tree", lambda _: [node])
    info_module.info(as_json=False)
    lines = capsys.readouterr().out.splitlines()
    title = "node 5, 3 GiB, distances 10, 21"
    start = next(i for i, line in enumerate(lines) if title in line)
    column = lines[start].index(title)
    assert [line[column:].rstrip() for line in lines[start + 1 : start + 6]] == [
        "├─ socket 0",
        "│  ├─ core 0: CPUs 0,2",
        "│  └─ core 1: CPU 1",
        "└─ socket 1",
        "   └─ core 1: CPU 1",
    ]
