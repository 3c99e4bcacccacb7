"""Every benchmark runs: what is never run is broken when somebody needs it."""

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2] / "asv_benchmarks"
sys.path.insert(0, str(ROOT))

import compare  # noqa: E402

SUITES: list[Any] = list(compare.suites())


def test_suites_are_found() -> None:
    names = {suite.__name__ for suite in SUITES}
    assert {"Xor", "Scan", "Encode", "EncodeDatabase", "Apply", "Replicate"} <= names


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.__name__)
def test_smallest_case_of_each_suite_runs(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "MEASURE_SECONDS_MIN", 0.0)
    case = next(compare.cases(suite, None))
    measured = compare.measure(suite, case, rounds=1)
    assert measured.seconds["dwcp"] > 0
    row = compare.row(suite, case, measured)
    assert row["gigabytes_per_second"]["dwcp"] > 0
    assert all(ratio > 0 for ratio in row["ratio"].values())
    assert any(not name.startswith("dwcp") for name in measured.seconds), "no peer to compare with"
