"""What ci/matrix and ci/arm64 rely on fails where it should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# In place of the probe on an emulated processor. It is asked three times: what it gets, with more
# than it has in DWCP_ISA, and with that dispatched by mistake.
PROBE = """#!/bin/bash
if [[ ${{1:-}} == --wrongly ]]; then
    {wrongly}
elif [[ -n ${{DWCP_ISA:-}} ]]; then
    {forced}
else
    {asked}
fi
"""
RIGHT = {"asked": "echo scalar", "forced": "exit 1", "wrongly": "kill -ILL $$"}


def bash(script: str, *arguments: "str | Path", folder: Path) -> "subprocess.CompletedProcess[str]":
    """A script that may call what is in ci/common.sh."""
    environment = {k: v for k, v in os.environ.items() if k != "DWCP_ISA"}
    return subprocess.run(
        [
            "bash",
            "-c",
            f'set -euo pipefail; . "{REPOSITORY}/ci/common.sh"; {script}',
            "x",
            *arguments,
        ],
        env={**environment, "DWCP_BUILD_DIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def dispatched(folder: Path, **changes: str) -> "subprocess.CompletedProcess[str]":
    probe = folder / "probe"
    probe.write_text(PROBE.format(**{**RIGHT, **changes}))
    probe.chmod(0o755)
    return bash('check_dispatch scalar neon "$1"', probe, folder=folder)


def test_dispatch_as_it_should_be_passes(tmp_path: Path) -> None:
    done = dispatched(tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"asked": "echo neon"}, "got neon instead of scalar", id="too-much"),
        pytest.param({"asked": "kill -ILL $$"}, "got nothing instead", id="dies"),
        pytest.param({"forced": "echo neon"}, "DWCP_ISA=neon was accepted", id="accepted"),
        pytest.param({"wrongly": "exit 0"}, "ended with status 0 instead", id="survives"),
        pytest.param({"wrongly": "exit 2"}, "ended with status 2 instead", id="not-built"),
        pytest.param({"wrongly": "kill -SEGV $$"}, "ended with status 139", id="another-signal"),
    ],
)
def test_a_dispatch_that_nobody_would_notice_fails(
    tmp_path: Path, changes: dict[str, str], complaint: str
) -> None:
    done = dispatched(tmp_path, **changes)
    assert done.returncode == 1
    assert complaint in done.stderr


def emulated(folder: Path, **files: str) -> "subprocess.CompletedProcess[str]":
    """Groups of tests, a file each, as they are run with an emulated Python."""
    groups = []
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
        groups.append(folder / f"test_{name}.py")
    script = 'emulated_pytest "$1/logs" "$2" -- "${@:3}"'
    return bash(script, folder, sys.executable, *groups, folder=folder)


GOOD = "def test_good() -> None:\n    pass\n"
BAD = "def test_bad() -> None:\n    raise ValueError('planted')\n"
EMPTY = ""


def test_groups_that_pass_are_all_reported(tmp_path: Path) -> None:
    done = emulated(tmp_path, one=GOOD, two=GOOD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 passed") == 2


@pytest.mark.parametrize("text", [BAD, EMPTY], ids=["failing", "empty"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_one_group_that_fails_fails_all(tmp_path: Path, text: str, first: bool) -> None:
    files = {"one": text, "two": GOOD} if first else {"one": GOOD, "two": text}
    done = emulated(tmp_path, **files)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stderr
    if text == BAD:
        assert "planted" in done.stderr
