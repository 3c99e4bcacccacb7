"""The stubs under version control are what the extension module says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUBS = sorted((ROOT / "python" / "dwcp" / "_core").glob("*.pyi"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stubs")
    environment = {**os.environ, "DWCP_PYTHON": sys.executable}
    subprocess.run([ROOT / "ci" / "stubs", folder], check=True, env=environment)
    return folder / "_core"


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.name)
def test_stub_is_up_to_date(stub: Path, generated: Path) -> None:
    assert (generated / stub.name).read_text() == stub.read_text(), "run ci/stubs"


def test_no_stub_is_missing(generated: Path) -> None:
    assert sorted(path.name for path in generated.glob("*.pyi")) == [s.name for s in STUBS]
