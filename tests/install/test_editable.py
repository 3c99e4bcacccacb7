"""An editable installation follows the sources, the C++ ones as well."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., "CompletedProcess[str]"]

SHOW = "import dwcp._core; print(dwcp._core.__doc__)"
SOURCE = Path("cpp/bindings/module.cpp")
TEXT = "The compiled core of dwcp."


@pytest.fixture
def copy(run: Run, repository: Path, tmp_path: Path) -> Path:
    """A copy of the sources, for a test that changes them."""
    target = tmp_path / "sources"
    listed = run(
        *("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), cwd=repository
    )
    for name in listed.stdout.split("\0"):
        if name and (repository / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, target / name)
    return target


def test_a_changed_source_is_compiled_on_import(
    run: Run, environment: Path, copy: Path, offline: dict[str, str], tmp_path: Path
) -> None:
    python = environment / "python"
    pip = (python, "-m", "pip", "install")
    run(*pip, "scikit-build-core", "nanobind", variables=offline)
    run(
        *(*pip, "--no-build-isolation", "--config-settings=editable.rebuild=true"),
        # One instruction set is enough here, and quicker.
        "--config-settings=cmake.define.DWCP_ISA_LIST=scalar",
        *(f"--config-settings=build-dir={tmp_path / 'build'}", "-e", copy),
        variables=offline,
    )
    assert TEXT in run(python, "-I", "-c", SHOW).stdout

    source = copy / SOURCE
    original = source.read_text()
    assert TEXT in original
    source.write_text(original.replace(TEXT, "Compiled anew."))
    assert "Compiled anew." in run(python, "-I", "-c", SHOW).stdout

    source.write_text(original + "\n#error broken on purpose\n")
    broken = run(python, "-I", "-c", SHOW, check=False)
    assert broken.returncode != 0
    assert "broken on purpose" in broken.stdout + broken.stderr
