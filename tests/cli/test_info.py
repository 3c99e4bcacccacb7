from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from dwcp import isa
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


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0\n", [0]), ("0-3,8", [0, 1, 2, 3, 8]), ("", []), ("2,4-5", [2, 4, 5])],
)
def test_kernel_lists(text: str, numbers: list[int]) -> None:
    assert machine.cpu_list(text) == numbers


@pytest.mark.parametrize(
    ("text", "count"), [("32K\n", 32 << 10), ("1M", 1 << 20), ("2G", 2 << 30), ("512", 512)]
)
def test_kernel_sizes(text: str, count: int) -> None:
    assert machine.size_bytes(text) == count
