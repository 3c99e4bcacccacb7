from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
import typer

from dwcp.cli import demo, exits, scenario, verify, workload

from .conftest import Start, run

MIB = 1 << 20


def test_the_demo_checks_every_state_and_resumes_without_a_keyframe(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    done = run("demo", "--size-mb", "2", "--batches", "5", "--json", "--keep", kept)
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    result = events[-1]
    assert result["event"] == "result"
    assert result["good"] is True
    assert result["state_bytes"] >= 2 * MIB
    assert result["transactions"] == 5 * 20
    assert result["deltas"]["count"] == 3
    checks = result["checks"]
    # The first state, three deltas, the killed one, the resumed one, and the last once more.
    assert checks["count"] == 7
    assert checks["passed"] == dict.fromkeys(
        ("integrity_check", "rows_equal", "contents_equal", "bytes_equal"), 7
    )

    copies = result["full_copies"]
    assert copies["wire_bytes"] == copies["count"] * result["state_bytes"] + copies["count"]
    assert copies["seconds"] >= 0.99 * copies["wire_bytes"] * 8 / 1e9
    assert result["keyframe"]["count"] == 1
    assert result["resumed"]["count"] == 1
    assert result["resumed"]["wire_bytes"] < result["state_bytes"] / 4
    assert 0 < result["cut_bytes"] < result["resumed"]["wire_bytes"]

    killed = next(event for event in events if event["event"] == "killed")
    assert killed["checks"]["integrity_check"] == "ok"
    assert killed["checks"]["bytes_equal"] is True
    with contextlib.closing(sqlite3.connect(kept / "source.sqlite")) as connection:
        assert workload.integrity(connection) == "ok"


def test_the_demo_prints_tables_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run("demo", "--size-mb", "1", "--batches", "4", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "all checks passed" in done.stdout
    assert "SIGKILL" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_demo_cleans_up(start: Start, tmp_path: Path) -> None:
    command = start("demo", "--size-mb", "2", "--batches", "100", TMPDIR=str(tmp_path))
    command.wait("delta")
    code, said = command.end()
    assert (code, said) == (143, "")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_check_ends_the_demo_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(scenario.Scenario):
        def run(self, batches: int) -> scenario.Result:
            verdict = verify.Verdict(9, "page 7 is wrong", True, True, False, ("accounts",))
            result = scenario.Result(state_bytes=1, verdicts=[verdict], failures=[str(verdict)])
            for part in (result.full, result.deltas, result.keyframe, result.resumed):
                part.add(1, 1.0)
            return result

    monkeypatch.setattr(scenario, "Scenario", Broken)
    with pytest.raises(typer.Exit) as ended:
        demo.demo(as_json=True)
    assert ended.value.exit_code == exits.UNVERIFIED
    shown = capsys.readouterr()
    assert json.loads(shown.out)["good"] is False
    assert "sequence 9: integrity_check: page 7 is wrong, bytes differ" in shown.err


@pytest.mark.parametrize("damage", ["bytes", "rows", "contents", "file"])
def test_the_checks_notice_damage(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "db"
    with contextlib.closing(workload.Workload(path, MIB, 20)) as database:
        source = verify.fingerprint(path, workload.TABLES)
        assert verify.check_file(path, 1, source).good
        database.batch(1)
    before = source
    statements = {
        "rows": "DELETE FROM events WHERE id = 1",
        "contents": "UPDATE accounts SET city = 'elsewhere' WHERE id = 1",
    }
    source = verify.fingerprint(path, workload.TABLES)
    if damage in statements:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statements[damage])
    else:
        data = bytearray(path.read_bytes())
        if damage == "file":
            data[:] = b"x" * len(data)
        else:
            data[-1] ^= 1
        path.write_bytes(data)
    verdict = verify.check_file(path, 1, source)
    assert not verdict.good
    assert not verdict.bytes_equal
    assert verdict.rows_equal == (damage in ("bytes", "contents"))
    assert verdict.tables_equal == (damage == "bytes")
    assert before.sha256 != source.sha256
