"""What the installation tests share: clean environments, and running commands in them."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs a command without a terminal and returns its output; fails the test with it."""

    def run_command(
        *command: str | Path,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return run_command


@pytest.fixture(scope="session")
def wheelhouse() -> Path:
    """A folder with the wheels of all requirements, so that pip needs no network."""
    path = Path(os.environ.get("DWCP_WHEELHOUSE", REPOSITORY / "build" / "ci" / "wheelhouse"))
    if not path.is_dir():
        pytest.fail(f"{path} is missing: `ci/setup test` makes it")
    return path


@pytest.fixture(scope="session")
def offline(wheelhouse: Path) -> dict[str, str]:
    """Environment variables that make pip use the wheelhouse and nothing else."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": wheelhouse.as_uri(),
        "PIP_NO_INDEX": "1",
    }


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """The `bin` folder of a new virtual environment with nothing in it but pip."""
    path = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", path)
    return path / "bin"
