"""The source distribution has what a build takes, and nothing that a build leaves behind."""

import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[PurePosixPath]:
    """The files in the source distribution, relative to its one top folder."""
    target = tmp_path_factory.mktemp("sdist")
    subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys, scikit_build_core.build as b; b.build_sdist(sys.argv[1])",
            target,
        ],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (archive,) = target.glob("dwcp-*.tar.gz")
    with tarfile.open(archive) as tar:
        files = [PurePosixPath(member.name) for member in tar if member.isfile()]
    assert {file.parts[0] for file in files} == {archive.name.removesuffix(".tar.gz")}
    return {file.relative_to(file.parts[0]) for file in files}


def test_it_has_what_a_build_takes(names: set[PurePosixPath]) -> None:
    needed = ["pyproject.toml", "CMakeLists.txt", "LICENSE", "README.md"]
    needed += [
        str(path.relative_to(REPOSITORY))
        for folder in ("cpp/cmake", "cpp/include", "cpp/src", "cpp/bindings")
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file()
    ]
    needed += [
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "python").rglob("*.py*")
        if path.suffix in {".py", ".pyi"}
    ]
    assert not [name for name in needed if PurePosixPath(name) not in names]


def test_it_has_nothing_that_a_build_leaves_behind(names: set[PurePosixPath]) -> None:
    left = {".so", ".o", ".a", ".pyc", ".log"}
    assert not [str(name) for name in names if name.suffix in left]
    assert not {name.parts[0] for name in names} & {"build", "dist", ".venv", ".git", ".ccache"}
