"""Whether a replica of a database is the database: through SQLite, and byte by byte."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dwcp.replica import open_snapshot

from . import workload

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Fingerprint:
    """What is compared between a source and its replica.

    Attributes
    ----------
    rows
        Table to its number of rows.
    tables
        Table to the hash of its content, as SQLite reads it.
    sha256
        Hash of all bytes of the file.
    """

    rows: dict[str, int]
    tables: dict[str, str]
    sha256: str


@dataclass(frozen=True)
class Verdict:
    """How one check of a replica went.

    Attributes
    ----------
    sequence
        State that was checked.
    integrity
        What ``PRAGMA integrity_check`` said.
    rows_equal, tables_equal, bytes_equal
        Whether that part of the fingerprint is the source's.
    tables
        Tables whose contents were compared.
    """

    sequence: int
    integrity: str
    rows_equal: bool
    tables_equal: bool
    bytes_equal: bool
    tables: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether everything was as it should be."""
        equal = self.rows_equal and self.tables_equal and self.bytes_equal
        return equal and self.integrity == "ok"

    def __str__(self) -> str:
        """One line that names what is wrong."""
        if self.good:
            return "integrity ok, rows, contents and bytes equal"
        parts = (
            ("rows", self.rows_equal),
            ("contents", self.tables_equal),
            ("bytes", self.bytes_equal),
        )
        wrong = [f"{name} differ" for name, equal in parts if not equal]
        if self.integrity != "ok":
            wrong.insert(0, f"integrity_check: {self.integrity[:200]}")
        return f"sequence {self.sequence}: " + ", ".join(wrong)


def fingerprint(path: Path, tables: Iterable[str]) -> Fingerprint:
    """Read a database file that nobody writes meanwhile.

    Parameters
    ----------
    path
        The file.
    tables
        Tables whose contents are hashed.
    """
    with contextlib.closing(_open(path)) as connection:
        return _fingerprint(connection, path, tables)


def check(copy: Path, sequence: int, source: Fingerprint) -> Verdict:
    """Open the replica's last complete state with SQLite and compare it with the source.

    Parameters
    ----------
    copy
        Path of the replica.
    sequence
        State that it should hold.
    source
        Fingerprint of the source at that state; its tables are compared.
    """
    with open_snapshot(copy) as snapshot:
        return check_file(Path(f"/proc/self/fd/{snapshot.fileno()}"), sequence, source)


def check_file(path: Path, sequence: int, source: Fingerprint) -> Verdict:
    """Compare a database file with the source; parameters as of `check`."""
    tables = tuple(source.tables)
    try:
        with contextlib.closing(_open(path)) as connection:
            integrity = workload.integrity(connection)
            found = _fingerprint(connection, path, tables)
    except sqlite3.Error as error:
        return Verdict(sequence, f"SQLite: {error}", False, False, False, tables)
    return Verdict(
        sequence=sequence,
        integrity=integrity,
        rows_equal=found.rows == source.rows,
        tables_equal=found.tables == source.tables,
        bytes_equal=found.sha256 == source.sha256,
        tables=tables,
    )


def _open(path: Path) -> sqlite3.Connection:
    # "immutable" keeps SQLite from looking for a journal beside the file and from locking it.
    return sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)


def _fingerprint(connection: sqlite3.Connection, path: Path, tables: Iterable[str]) -> Fingerprint:
    return Fingerprint(
        rows=workload.rows(connection),
        tables={table: workload.content_hash(connection, table) for table in tables},
        sha256=_sha256(path),
    )


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            found.update(buffer[:count])
    return found.hexdigest()
