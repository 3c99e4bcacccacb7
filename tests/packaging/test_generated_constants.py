import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "cpp/tools/find_sparse_multiple.py"


def test_the_sparse_multiple_is_what_its_script_finds() -> None:
    result = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_check_notices_another_multiple(tmp_path: Path) -> None:
    copy = tmp_path / "tools" / SCRIPT.name
    copy.parent.mkdir()
    copy.write_text(SCRIPT.read_text())
    header = tmp_path / "src/kernels/crc_sparse_constants.hpp"
    header.parent.mkdir(parents=True)
    header.write_text((ROOT / "cpp" / header.relative_to(tmp_path)).read_text().replace("89", "90"))
    result = subprocess.run(
        [sys.executable, copy, "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert "is not what this script writes" in result.stderr
