"""The C++ library as others get it: installed and found, or built as part of their project."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.slow

CONSUMER = Path(__file__).parent / "consumer"

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="module")
def prefix(run: Run, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package."""
    core = tmp_path_factory.mktemp("core")
    target = tmp_path_factory.mktemp("prefix")
    run("cmake", "-S", repository, "-B", core, "-G", "Ninja")
    run("cmake", "--build", core)
    # Not the prefix that was configured: what is installed can be put anywhere.
    run("cmake", "--install", core, "--prefix", target)
    return target


def build_and_run(run: Run, build: Path, *definitions: str) -> None:
    """Builds the consumer and checks that it sent less than the 4000 bytes that it changed."""
    run("cmake", "-S", CONSUMER, "-B", build, "-G", "Ninja", *definitions)
    run("cmake", "--build", build)
    output = run(build / "consumer").stdout
    match = re.fullmatch(r"isa=\w+ wire_bytes=(\d+)\n", output)
    assert match, output
    assert 0 < int(match.group(1)) < 4000


def test_a_project_finds_the_installed_package(run: Run, prefix: Path, tmp_path: Path) -> None:
    build_and_run(run, tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")


def test_a_project_takes_the_sources_into_its_build(
    run: Run, repository: Path, tmp_path: Path
) -> None:
    build_and_run(
        run,
        tmp_path / "build",
        f"-DDWCP_SOURCE_DIR={repository}",
        "-DFETCHCONTENT_FULLY_DISCONNECTED=ON",
    )


def find(
    run: Run, prefix: Path, folder: Path, request: str, variables: dict[str, str] | None = None
) -> "CompletedProcess[str]":
    """Configures a project that asks for the package in the given words."""
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(asking LANGUAGES CXX)\n"
        f"find_package(dwcp {request})\n"
        "if(NOT dwcp_FOUND)\n"
        '  message(STATUS "doing without it")\n'
        "endif()\n"
    )
    return run(
        *("cmake", "-S", folder, "-B", folder / "build", "-G", "Ninja"),
        f"-DCMAKE_PREFIX_PATH={prefix}",
        variables=variables,
        check=False,
    )


def test_another_minor_version_is_refused(run: Run, prefix: Path, tmp_path: Path) -> None:
    done = find(run, prefix, tmp_path, "0.99 CONFIG REQUIRED")
    assert done.returncode != 0
    assert "dwcpConfig.cmake, version: " in done.stderr


def test_the_package_says_which_system_libraries_are_missing(
    run: Run, prefix: Path, tmp_path: Path
) -> None:
    nothing = {"PKG_CONFIG_LIBDIR": str(tmp_path), "PKG_CONFIG_PATH": ""}
    done = find(run, prefix, tmp_path, "0.1 CONFIG REQUIRED", nothing)
    assert done.returncode != 0
    assert "apt-get install liburing-dev libnuma-dev" in done.stderr


def test_a_project_can_do_without_the_package(run: Run, prefix: Path, tmp_path: Path) -> None:
    nothing = {"PKG_CONFIG_LIBDIR": str(tmp_path), "PKG_CONFIG_PATH": ""}
    done = find(run, prefix, tmp_path, "0.1 CONFIG QUIET", nothing)
    assert done.returncode == 0, done.stderr
    assert "doing without it" in done.stdout
