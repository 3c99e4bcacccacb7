"""A real SQLite database of a chosen size, and transactions that change it.

The database is a shop's: accounts, orders, and a log of events, with the indexes that such tables
have. The seed is fixed, so every run makes the same rows.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_SEED = 20240229
_WORDS = ("amber", "basin", "cedar", "ember", "fjord", "grove", "knoll", "mesa", "reef", "vale")
_PHRASES = 256
_KINDS = ("placed", "paid", "packed", "shipped", "returned", "note")
_STATUSES = ("open", "paid", "shipped", "closed")

_SCHEMA = """
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, city TEXT NOT NULL,
    balance_cents INTEGER NOT NULL, touched INTEGER NOT NULL);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES accounts (id),
    status TEXT NOT NULL, price_cents INTEGER NOT NULL, placed INTEGER NOT NULL,
    address TEXT NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id),
    kind TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE staging (line TEXT NOT NULL);
"""
_INDEXES = """
CREATE INDEX accounts_city ON accounts (city, owner);
CREATE INDEX orders_account ON orders (account_id, placed);
CREATE INDEX orders_status ON orders (status);
CREATE INDEX events_order ON events (order_id);
"""
TABLES = ("accounts", "orders", "events")

# Rows that fill one MiB with their share of the indexes, so that the parts grow together.
_ACCOUNTS_PER_MIB = 350
_ORDERS_PER_MIB = 1150
_EVENTS_PER_MIB = 2700
# More than the pages that a transaction's inserts take.
_SPARE_BYTES_PER_TRANSACTION = 8 << 10


class Workload:
    """A database and a stream of transactions on it. Use it in one thread.

    Parameters
    ----------
    path
        Where the database is made.
    size_bytes
        Least size of the file.
    transactions
        How many transactions there will be. A staging table that is dropped after the import
        leaves free pages for their inserts: a file that grew would be a different state, which has
        to be sent in full.

    Raises
    ------
    sqlite3.Error
        SQLite could not write, for instance because the disk is full.
    """

    def __init__(self, path: Path, size_bytes: int, transactions: int) -> None:
        self.path = path
        self.transactions = 0
        self.rows_changed = 0
        self._random = random.Random(_SEED)
        self._clock = 1_700_000_000
        self._phrases = [" ".join(self._random.choices(_WORDS, k=12)) for _ in range(_PHRASES)]
        # Transactions are begun by hand; the module's own are begun too late for that.
        self._connection = sqlite3.connect(path, isolation_level=None)
        # With a rollback journal the file itself is the complete state after every commit. What a
        # power cut would do to a temporary database does not matter, so nothing waits for the disk.
        for pragma in ("journal_mode = DELETE", "synchronous = OFF", "cache_size = -131072"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._build(size_bytes, transactions * _SPARE_BYTES_PER_TRANSACTION)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _text(self, phrases: int) -> str:
        # Phrases are made once: choosing every word anew would take most of the building time.
        bits = self._random.getrandbits(48)
        first = self._phrases[bits % _PHRASES]
        rest = [self._phrases[(bits >> (8 * part)) % _PHRASES] for part in range(1, phrases)]
        return " ".join([first, *rest])

    def _account(self) -> tuple[str, str, int, int]:
        pick = self._random
        owner = f"{pick.choice(_WORDS)} {pick.choice(_WORDS)} {pick.getrandbits(32):08x}"
        return owner, pick.choice(_WORDS), int(pick.random() * 10_000_000), self._clock

    def _order(self) -> tuple[int, str, int, int, str]:
        pick = self._random
        account = 1 + int(pick.random() * self._accounts)
        bits = pick.getrandbits(32)
        address = f"{bits % 1000} {self._phrases[bits % _PHRASES]}"
        return account, _STATUSES[bits >> 30], bits % 100_000, self._clock, address

    def _event(self) -> tuple[int, str, str]:
        pick = self._random
        text = f"{self._text(2)} {pick.getrandbits(256):064x}"
        return 1 + int(pick.random() * self._orders), pick.choice(_KINDS), text

    def _build(self, size_bytes: int, spare_bytes: int) -> None:
        filled_bytes = max(size_bytes - spare_bytes, size_bytes // 2)
        mib = filled_bytes / (1 << 20)
        self._accounts = max(100, round(_ACCOUNTS_PER_MIB * mib))
        self._orders = max(300, round(_ORDERS_PER_MIB * mib))
        events = max(900, round(_EVENTS_PER_MIB * mib))
        run = self._connection
        run.executescript(_SCHEMA)
        run.execute("BEGIN")
        self._insert_accounts(self._account() for _ in range(self._accounts))
        self._insert_orders(self._order() for _ in range(self._orders))
        self._insert_events(self._event() for _ in range(events))
        run.executescript(_INDEXES)
        # A script is committed before it runs, and outside a transaction every row would be one.
        run.execute("BEGIN")
        while self._size_bytes() < filled_bytes:
            self._insert_events(self._event() for _ in range(300))
        staging = 0
        while self._size_bytes() < size_bytes or staging < spare_bytes:
            lines = [(self._text(5),) for _ in range(200)]
            run.executemany("INSERT INTO staging VALUES (?)", lines)
            staging += sum(len(line) for (line,) in lines)
        run.execute("DROP TABLE staging")
        run.execute("COMMIT")

    def _size_bytes(self) -> int:
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int(pages) * int(page_bytes)

    def _insert_accounts(self, rows: Iterator[tuple[str, str, int, int]]) -> None:
        names = "owner, city, balance_cents, touched"
        self._connection.executemany(f"INSERT INTO accounts ({names}) VALUES (?, ?, ?, ?)", rows)

    def _insert_orders(self, rows: Iterator[tuple[int, str, int, int, str]]) -> None:
        names = "account_id, status, price_cents, placed, address"
        self._connection.executemany(f"INSERT INTO orders ({names}) VALUES (?, ?, ?, ?, ?)", rows)

    def _insert_events(self, rows: Iterator[tuple[int, str, str]]) -> None:
        names = "order_id, kind, text"
        self._connection.executemany(f"INSERT INTO events ({names}) VALUES (?, ?, ?)", rows)

    def batch(self, transactions: int) -> None:
        """Run transactions: inserts, updates and deletes across all tables, each committed."""
        for _ in range(transactions):
            before = self._connection.total_changes
            self._connection.execute("BEGIN IMMEDIATE")
            self._transaction()
            self._connection.execute("COMMIT")
            self.transactions += 1
            self.rows_changed += self._connection.total_changes - before

    def _transaction(self) -> None:
        pick, run = self._random, self._connection
        self._clock += 1
        accounts = [pick.randrange(1, self._accounts + 1) for _ in range(3)]
        run.executemany(
            "UPDATE accounts SET balance_cents = balance_cents + ?, touched = ? WHERE id = ?",
            [(pick.randrange(-5000, 5000), self._clock, account) for account in accounts],
        )
        orders = [pick.randrange(1, self._orders + 1) for _ in range(2)]
        run.executemany(
            "UPDATE orders SET status = ? WHERE id = ?",
            [(pick.choice(_STATUSES), order) for order in orders],
        )
        self._insert_orders(self._order() for _ in range(1))
        self._insert_events(self._event() for _ in range(4))
        run.execute(
            "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id >= ? LIMIT 2)",
            (pick.randrange(1, self._orders),),
        )
        if self.transactions % 5 == 0:
            self._insert_accounts(self._account() for _ in range(1))


def rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Count the rows of each table."""
    return {
        table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        for table in TABLES
    }


def content_hash(connection: sqlite3.Connection, table: str) -> str:
    """SHA-256 of all rows of a table in order of their ids, read through SQLite."""
    found = hashlib.sha256()
    for row in connection.execute(f"SELECT * FROM {table} ORDER BY id"):
        found.update(repr(row).encode())
    return found.hexdigest()


def integrity(connection: sqlite3.Connection) -> str:
    """Run ``PRAGMA integrity_check``; returns "ok", or its complaints."""
    return "; ".join(str(row[0]) for row in connection.execute("PRAGMA integrity_check"))
