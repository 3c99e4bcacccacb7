"""The list of instruction sets: what it gives for a processor, and what it refuses."""

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]

# Prints what was selected, with the run-time test of features.
PROJECT = f"""
cmake_minimum_required(VERSION 3.25)
project(planted LANGUAGES NONE)
include({REPOSITORY}/cpp/cmake/isa.cmake)
message(STATUS "selected <${{DWCP_ISA_SELECTED}}> by <${{DWCP_ISA_FEATURE_TEST}}>")
"""


def configured(
    folder: Path, processor: str, chosen: str = "all"
) -> "subprocess.CompletedProcess[str]":
    """CMake's result for a processor that need not be that of this machine."""
    source = folder / "source"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(PROJECT)
    return subprocess.run(
        [
            *("cmake", "-S", source, "-B", folder / "build", "-G", "Ninja"),
            *("-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_SYSTEM_PROCESSOR={processor}"),
            f"-DDWCP_ISA_LIST={chosen}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("processor", "names", "test"),
    [
        ("x86_64", "scalar;ssse3;sse42;avx2;avx512", '__builtin_cpu_supports("@")'),
        ("aarch64", "scalar;neon", "has_hwcap(HWCAP_@)"),
    ],
)
def test_each_processor_has_its_own(tmp_path: Path, processor: str, names: str, test: str) -> None:
    done = configured(tmp_path, processor)
    assert done.returncode == 0, done.stderr
    assert f"selected <{names}> by <{test}>" in done.stdout


def test_a_processor_without_rows_gets_portable_code(tmp_path: Path) -> None:
    done = configured(tmp_path, "riscv64")
    assert done.returncode == 0, done.stderr
    assert "selected <scalar> by" in done.stdout


@pytest.mark.parametrize(
    ("processor", "chosen", "complaint"),
    [
        ("aarch64", "scalar;avx2", "unknown instruction set 'avx2'"),
        ("x86_64", "scalar;neon", "unknown instruction set 'neon'"),
        ("x86_64", "avx2", "must contain 'scalar'"),
        ("aarch64", "neon", "must contain 'scalar'"),
    ],
)
def test_a_list_that_cannot_be_built_is_refused(
    tmp_path: Path, processor: str, chosen: str, complaint: str
) -> None:
    done = configured(tmp_path, processor, chosen)
    assert done.returncode != 0
    assert complaint in " ".join(done.stderr.split())


def compiled(flags: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The wrapper of NEON alone, compiled with `flags`."""
    source = folder / "planted.cpp"
    source.write_text('#include "kernels/vec/neon.hpp"\n')
    return subprocess.run(
        [
            *("aarch64-linux-gnu-g++", "-std=c++20", "-fsyntax-only", flags),
            *("-I", REPOSITORY / "cpp" / "src", source),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("flags", ["-march=armv8-a+crc", "-march=armv8-a+crypto"])
def test_neon_kernels_do_not_compile_without_either_extension(tmp_path: Path, flags: str) -> None:
    done = compiled(flags, tmp_path)
    assert done.returncode != 0
    assert "the flags of this tier must allow" in done.stderr


def test_neon_kernels_compile_with_both(tmp_path: Path) -> None:
    done = compiled("-march=armv8-a+crc+crypto", tmp_path)
    assert done.returncode == 0, done.stderr
