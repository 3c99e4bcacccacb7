"""`pip install .` in a clean environment."""

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., "CompletedProcess[str]"]

USER_PROGRAM = """\
from typing_extensions import assert_type

import dwcp
from dwcp import delta, isa

sent = delta.encode(b"new state", b"old state", codec="zstd")
assert_type(sent, bytes)
assert_type(delta.inspect(sent).wire_bytes, int)
assert_type(isa.active(), str)
raise dwcp.WrongBase
"""

MISTAKEN_PROGRAM = """\
from dwcp import delta

delta.encode("text", b"bytes")
"""


@pytest.fixture(scope="module")
def installed(
    environment: Path,
    run: Run,
    repository: Path,
    offline: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The `bin` folder of an environment with the project and its requirements."""
    build = tmp_path_factory.mktemp("build")
    run(
        *(environment / "python", "-m", "pip", "install"),
        *(f"--config-settings=build-dir={build}", repository),
        variables=offline,
    )
    return environment


@pytest.fixture(scope="module")
def package(installed: Path, run: Run) -> Path:
    """The folder of the installed package."""
    shown = run(installed / "python", "-I", "-c", "import dwcp; print(dwcp.__path__[0])")
    return Path(shown.stdout.strip())


def check_types(run: Run, installed: Path, program: Path) -> "CompletedProcess[str]":
    return run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file="),
        *("--python-executable", installed / "python", program.name),
        cwd=program.parent,
        check=False,
    )


def test_the_command_explains_itself(installed: Path, run: Run) -> None:
    shown = run(installed / "dwcp", "--help", variables={"COLUMNS": "120"}).stdout
    for command in ("demo", "publish", "follow", "info"):
        assert command in shown


def test_a_delta_makes_the_round_trip(installed: Path, run: Run) -> None:
    program = (
        "from dwcp import delta\n"
        "old, new = bytes(100_000), b'new' + bytes(99_997)\n"
        "assert delta.decode(delta.encode(new, old), old) == new\n"
    )
    run(installed / "python", "-I", "-c", program)


def test_types_are_shipped(package: Path) -> None:
    assert (package / "py.typed").is_file()
    stubs = {stub.name for stub in (package / "_core").glob("*.pyi")}
    assert {"__init__.pyi", "checksum.pyi", "delta.pyi", "isa.pyi"} <= stubs


def test_a_strict_type_checker_accepts_a_correct_program(
    installed: Path, run: Run, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(USER_PROGRAM)
    done = check_types(run, installed, program)
    assert done.returncode == 0, done.stdout


def test_a_strict_type_checker_finds_a_mistake(installed: Path, run: Run, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(MISTAKEN_PROGRAM)
    done = check_types(run, installed, program)
    assert done.returncode == 1, done.stdout
    assert "arg-type" in done.stdout


def test_only_the_package_is_installed(package: Path) -> None:
    beside = {path.name for path in package.parent.iterdir()}
    assert not beside & {"tests", "include", "cmake", "asv_benchmarks", "ci", "lib"}
    assert not [path for path in package.rglob("*") if path.suffix in {".a", ".cpp", ".hpp"}]
