"""The C++ library as others get it: installed and found, or built as part of their project."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.slow

CONSUMER = Path(__file__).parent / "consumer"

Run = Callable[..., "CompletedProcess[str]"]


def build_and_run(run: Run, build: Path, *definitions: str) -> None:
    """Builds the consumer and checks that it sent less than the 4000 bytes that it changed."""
    run("cmake", "-S", CONSUMER, "-B", build, "-G", "Ninja", *definitions)
    run("cmake", "--build", build)
    output = run(build / "consumer").stdout
    match = re.fullmatch(r"isa=\w+ wire_bytes=(\d+)\n", output)
    assert match, output
    assert 0 < int(match.group(1)) < 4000


def test_a_project_finds_the_installed_package(run: Run, repository: Path, tmp_path: Path) -> None:
    core = tmp_path / "core"
    prefix = tmp_path / "prefix"
    run("cmake", "-S", repository, "-B", core, "-G", "Ninja")
    run("cmake", "--build", core)
    # Not the prefix that was configured: what is installed can be put anywhere.
    run("cmake", "--install", core, "--prefix", prefix)
    build_and_run(run, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")


def test_a_project_takes_the_sources_into_its_build(
    run: Run, repository: Path, tmp_path: Path
) -> None:
    build_and_run(
        run,
        tmp_path / "build",
        f"-DDWCP_SOURCE_DIR={repository}",
        "-DFETCHCONTENT_FULLY_DISCONNECTED=ON",
    )


def test_another_minor_version_is_refused(run: Run, repository: Path, tmp_path: Path) -> None:
    core = tmp_path / "core"
    run("cmake", "-S", repository, "-B", core, "-G", "Ninja")
    project = tmp_path / "project"
    project.mkdir()
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(later LANGUAGES NONE)\n"
        "find_package(dwcp 0.99 CONFIG REQUIRED)\n"
    )
    done = run(
        *("cmake", "-S", project, "-B", tmp_path / "build", "-G", "Ninja", f"-Ddwcp_DIR={core}"),
        check=False,
    )
    assert done.returncode != 0
    assert "dwcpConfig.cmake, version: " in done.stderr
