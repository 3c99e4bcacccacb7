"""Every benchmark runs: what is never run is broken when somebody needs it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dwcp import checksum

ROOT = Path(__file__).parents[2] / "asv_benchmarks"
sys.path.insert(0, str(ROOT))

import compare  # noqa: E402

from benchmarks import bench_checksum, bench_lockfree, contestants  # noqa: E402

SUITES: list[Any] = list(compare.suites())


def run(suite: Any) -> dict[str, Any]:
    case = next(compare.cases(suite, None))
    try:
        measured = compare.measure(suite, case, rounds=1)
    except contestants.MissingPeerError as error:
        if sys.version_info >= (3, 11):
            raise
        pytest.skip(f"{error}, which has no wheel for this Python")
    return compare.row(suite, case, measured)


def test_suites_are_found() -> None:
    names = {suite.__name__ for suite in SUITES}
    assert {"Xor", "Scan", "Encode", "EncodeDatabase", "Apply", "Replicate", "Chunks"} <= names


def test_every_checksum_has_a_suite() -> None:
    measured = {suite.function for suite in SUITES if hasattr(suite, "function")}
    assert measured == checksum.algorithms_available


def test_topics_select_suites() -> None:
    assert {suite.__module__ for suite in compare.suites("checksum")} == {
        "benchmarks.bench_checksum"
    }


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.__name__)
def test_smallest_case_of_each_suite_runs(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "MEASURE_SECONDS_MIN", 0.0)
    row = run(suite)
    assert all(seconds > 0 for seconds in row["seconds"].values())
    assert all(rate > 0 for rate in row.get("gigabytes_per_second", {"": 1}).values())
    assert all(ratio > 0 for ratio in row["ratio"].values())
    assert row["best_dwcp"].startswith("dwcp")
    assert compare.is_peer(row["best_peer"])
    assert not row["best_peer"].startswith("dwcp")


def test_asv_finds_a_method_for_each_contestant() -> None:
    suite = bench_checksum.Adler32()
    case = ("scalar", 64)
    suite.setup(*case)
    for name in suite.calls:
        getattr(suite, f"time_{name}")(*case)
    suite.teardown()


def test_a_missing_peer_is_an_error_that_names_it() -> None:
    with pytest.raises(contestants.MissingPeerError, match="the peer 'no_such_package' is missing"):
        contestants.load("no_such_package.module:function")


def test_a_peer_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_checksum.Crc32, "peers", {"other": "zlib:adler32"})
    suite = bench_checksum.Crc32()
    with pytest.raises(ValueError, match="crc32 and other give different values"):
        suite.setup("scalar", 64)
    suite.teardown()


def test_a_contest_is_reported_by_what_an_item_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = pytest.importorskip("report", reason="matplotlib is in the extra 'bench'")
    monkeypatch.setattr(compare, "MEASURE_SECONDS_MIN", 0.0)
    suite = bench_lockfree.Batches
    rows = [compare.row(suite, case, compare.measure(suite, case, 1)) for case in ((1,), (256,))]
    assert rows[1]["seconds"]["dwcp_mpmc_queue"] < rows[0]["seconds"]["queue"]
    report.write(tmp_path, "lockfree", {suite: rows}, [])
    assert "<svg" in (tmp_path / "batches.svg").read_text()
    assert "Nanoseconds for one item" in (tmp_path / "lockfree.md").read_text()


def test_plots_and_tables_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = pytest.importorskip("report", reason="matplotlib is in the extra 'bench'")
    monkeypatch.setattr(compare, "MEASURE_SECONDS_MIN", 0.0)
    suite = bench_checksum.Xxh32
    report.write(tmp_path, "checksum", {suite: [run(suite)]}, [])
    assert (tmp_path / "xxh32.png").stat().st_size > 1000
    assert "<svg" in (tmp_path / "xxh32.svg").read_text()
    assert "dwcp : best peer" in (tmp_path / "checksum.md").read_text()
