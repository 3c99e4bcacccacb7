"""Configuring without the system libraries says at once which are missing and how to get them."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

# pkg-config name, Debian package, Fedora package
LIBRARIES = [
    ("liburing", "liburing-dev", "liburing-devel"),
    ("numa", "libnuma-dev", "numactl-devel"),
    ("libxxhash", "libxxhash-dev", "xxhash-devel"),
    ("libzstd", "libzstd-dev", "libzstd-devel"),
    ("liblz4", "liblz4-dev", "lz4-devel"),
]

Run = Callable[..., "CompletedProcess[str]"]


def configure(run: Run, repository: Path, build: Path, found: Path) -> "CompletedProcess[str]":
    return run(
        *("cmake", "-S", repository, "-B", build, "-G", "Ninja"),
        variables={"PKG_CONFIG_LIBDIR": str(found), "PKG_CONFIG_PATH": ""},
        check=False,
    )


def words_after(command: str, text: str) -> list[str]:
    """The arguments of an install command that the message shows."""
    match = re.search(rf"{command} install (.*)", text)
    return match.group(1).split() if match else []


def test_all_missing_libraries_are_named_at_once(
    run: Run, repository: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = configure(run, repository, tmp_path / "build", empty)
    assert done.returncode != 0
    for name, _, _ in LIBRARIES:
        assert re.search(rf"^\s+{name} >= \d", done.stderr, re.MULTILINE), done.stderr
    assert words_after("apt-get", done.stderr) == [debian for _, debian, _ in LIBRARIES]
    assert words_after("dnf", done.stderr) == [fedora for _, _, fedora in LIBRARIES]


def test_without_pkg_config_it_is_named_beside_the_libraries(
    run: Run, repository: Path, tmp_path: Path
) -> None:
    done = run(
        *("cmake", "-S", repository, "-B", tmp_path / "build", "-G", "Ninja"),
        "-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON",
        check=False,
    )
    assert done.returncode != 0
    debian = [debian for _, debian, _ in LIBRARIES]
    assert words_after("apt-get", done.stderr) == ["pkg-config", *debian]


@pytest.mark.parametrize(("name", "debian", "fedora"), LIBRARIES)
def test_a_single_missing_library_is_named_alone(
    run: Run, repository: Path, tmp_path: Path, name: str, debian: str, fedora: str
) -> None:
    found = tmp_path / "found"
    found.mkdir()
    for other, _, _ in LIBRARIES:
        if other != name:
            folder = run("pkg-config", "--variable=pcfiledir", other).stdout.strip()
            (found / f"{other}.pc").symlink_to(Path(folder) / f"{other}.pc")
    done = configure(run, repository, tmp_path / "build", found)
    assert done.returncode != 0
    assert words_after("apt-get", done.stderr) == [debian]
    assert words_after("dnf", done.stderr) == [fedora]
