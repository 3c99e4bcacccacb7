from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dwcp.cli import verify, workload

SIZE = 2 << 20


@pytest.fixture
def database(tmp_path: Path) -> Iterator[workload.Workload]:
    found = workload.Workload(tmp_path / "db", SIZE, 200)
    with contextlib.closing(found):
        yield found


def test_the_database_is_as_large_as_asked_and_sound(database: workload.Workload) -> None:
    assert SIZE <= database.path.stat().st_size <= 2 * SIZE
    with contextlib.closing(sqlite3.connect(database.path)) as connection:
        assert workload.integrity(connection) == "ok"
        assert all(workload.rows(connection).values())


def test_the_file_does_not_grow_over_many_batches(database: workload.Workload) -> None:
    before = database.path.stat().st_size
    for _ in range(10):
        database.batch(20)
    assert database.path.stat().st_size == before


def test_after_a_batch_the_file_is_the_whole_state(database: workload.Workload) -> None:
    before = verify.fingerprint(database.path, workload.TABLES)
    database.batch(20)
    assert [path.name for path in database.path.parent.iterdir()] == ["db"]
    after = verify.fingerprint(database.path, workload.TABLES)
    assert all(before.tables[table] != after.tables[table] for table in workload.TABLES)
    assert before.rows != after.rows
    assert database.transactions == 20
    assert database.rows_changed >= 20 * 5


def test_two_runs_make_the_same_rows(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        with contextlib.closing(workload.Workload(tmp_path / name, 1 << 20, 60)) as database:
            database.batch(3)
            found.append(verify.fingerprint(database.path, workload.TABLES).tables)
    assert found[0] == found[1]
