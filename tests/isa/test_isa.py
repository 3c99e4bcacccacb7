import os
import subprocess
import sys

import pytest

from dwcp import checksum, isa
from dwcp._core import isa as core_isa


def test_scalar_is_always_available() -> None:
    assert isa.available()[0] == "scalar"
    assert set(isa.available()) <= set(isa.built())


def test_best_available_is_active_unless_told_otherwise() -> None:
    code = "from dwcp import isa; print(isa.active(), isa.available()[-1])"
    environment = {k: v for k, v in os.environ.items() if k != "DWCP_ISA"}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    active, best = output.split()
    assert active == best


@pytest.mark.parametrize("name", isa.available())
def test_environment_forces_an_instruction_set(name: str) -> None:
    code = "from dwcp._core import isa; print(isa.active(), isa.compiled_for())"
    output = subprocess.check_output(
        [sys.executable, "-c", code], env={**os.environ, "DWCP_ISA": name}, text=True
    )
    assert output.split() == [name, name]


@pytest.mark.parametrize("name", ["avx1024", "AVX2", " scalar", "scalar,ssse3"])
def test_unknown_name_in_the_environment_is_an_import_error_with_the_choices(name: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import dwcp"],
        env={**os.environ, "DWCP_ISA": name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "ImportError" in result.stderr
    assert name in result.stderr
    for choice in isa.available():
        assert choice in result.stderr


def test_force_restores_what_was_active() -> None:
    before = isa.active()
    with isa.force("scalar"):
        assert isa.active() == "scalar"
        assert core_isa.compiled_for() == "scalar"
    assert isa.active() == before


def test_force_refuses_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"mmx.*available here: scalar"), isa.force("mmx"):
        pass


def test_counted_calls_tell_tiers_apart() -> None:
    # What the `tier` fixture relies on: a call on another tier does not go unnoticed.
    with isa.force("scalar"):
        core_isa.count_calls(True)
        try:
            before = core_isa.counted_calls("scalar")
            checksum.crc32c(b"123456789")
            assert core_isa.counted_calls("scalar") == before + 1
        finally:
            core_isa.count_calls(False)
    before = core_isa.counted_calls("scalar")
    checksum.crc32c(b"123456789")
    assert core_isa.counted_calls("scalar") == before
