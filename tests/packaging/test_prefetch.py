"""What asks for memory does so in the compiled code, too: compilers may leave it out."""

import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="names instructions of x86-64"),
]

REPOSITORY = Path(__file__).resolve().parents[2]


def instructions(source: str, function: str, folder: Path) -> set[str]:
    """What is prefetched with in a function of a source, compiled as for a release."""
    target = folder / "compiled.o"
    includes = [f"-I{REPOSITORY / 'cpp' / part}" for part in ("include", "src")]
    command = [os.environ.get("CXX", "g++"), "-std=c++20", "-O3", "-fPIC", *includes]
    subprocess.run(
        [*command, "-c", REPOSITORY / "cpp" / "src" / source, "-o", target], check=True, timeout=120
    )
    listing = subprocess.run(
        ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", target],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    parts = [part for part in listing.split("\n\n") if f"<dwcp::cache::{function}(" in part]
    assert parts
    return set(re.findall(r"\t(prefetch\w+)", "\n".join(parts)))


def test_prefetch_asks_for_each_level(tmp_path: Path) -> None:
    found = instructions("cache/cache.cpp", "prefetch", tmp_path)
    assert {"prefetcht0", "prefetcht1", "prefetcht2", "prefetchnta"} <= found


def test_streams_ask_for_what_comes(tmp_path: Path) -> None:
    assert instructions("cache/stream.cpp", "Stream::fetch", tmp_path)
