"""Each rule of ci/lint fails where it should."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# In two pieces, because the rule looks at this file too.
UNFINISHED = "TO" + "DO"

# The rule, a file that breaks it and no other, and what the file contains.
PLANTED = [
    ("ruff check", "python/planted_check.py", '"""A module."""\n\nimport os\n'),
    ("ruff format", "python/planted_format.py", '"""A module."""\n\nx = [ 1 ]\n'),
    ("clang-format", "cpp/src/planted.cpp", "int  planted;\n"),
    ("shellcheck", "ci/planted", "#!/usr/bin/env bash\nls $1\n"),
    ("file length", "python/planted_length.py", '"""A module."""\n' + "\n# A line.\n" * 250),
    ("unfinished work", "docs/planted.md", f"{UNFINISHED}: finish this.\n"),
]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What ci/lint says about a small repository with all of the planted files."""
    root = tmp_path_factory.mktemp("repository")
    (root / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "run", root / ".ci" / "run")
    shutil.copytree(REPOSITORY / "ci", root / "ci", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".clang-format"):
        shutil.copy(REPOSITORY / name, root / name)
    for _, name, text in PLANTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", root], check=True, timeout=60)
    done = subprocess.run(
        [root / "ci" / "lint"],
        env={**os.environ, "DWCP_VENV": sys.prefix, "DWCP_BUILD_DIR": str(root / "build")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


@pytest.mark.parametrize(("rule", "name"), [(rule, name) for rule, name, _ in PLANTED])
def test_a_rule_fails_on_a_file_that_breaks_it(complaints: str, rule: str, name: str) -> None:
    (summary,) = [line for line in complaints.splitlines() if line.startswith("lint: failed: ")]
    assert rule in summary.removeprefix("lint: failed: ").split(", ")
    assert Path(name).name in complaints
