"""The demo's course of events: build, copy, publish, kill, resume, check."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from dwcp.replica import Publisher

from . import fullcopy, verify, workload
from .exits import CommandError
from .follower import Event, Follower
from .options import CodecName
from .output import Reporter, duration, percent, ratio, size
from .relay import Link

LINK_BITS_PER_SECOND = 1_000_000_000
_TRANSACTIONS_PER_BATCH = 20
# Batches published while nobody follows; the resumed follower gets all of them in one delta.
_MISSED_BATCHES = 2
_TIMEOUT_SECONDS = 30.0
_FULL_COPIES = 2
# One table is hashed at every check, all of them where something special has just happened.
_HASHED_ALWAYS = ("accounts",)


@dataclass
class Transfers:
    """Transfers of one kind.

    Attributes
    ----------
    count
        How many.
    wire_bytes
        Bytes that crossed the link, both ways, counted by the relay.
    seconds
        From the start of sending until the receiver's word that it has all.
    """

    count: int = 0
    wire_bytes: int = 0
    seconds: float = 0.0

    def add(self, wire_bytes: int, seconds: float) -> None:
        """Count one more."""
        self.count += 1
        self.wire_bytes += wire_bytes
        self.seconds += seconds


@dataclass
class Result:
    """What the demo measured.

    Attributes
    ----------
    state_bytes
        Size of the database file.
    transactions, rows_changed
        What the batches did.
    full, keyframe, deltas, resumed
        Transfers; `resumed` is what the killed follower needed to be up to date again.
    cut_bytes
        Bytes of the delta that had crossed the link when the follower was killed.
    missed_states
        States published that the killed follower never got, merged into the resuming delta.
    verdicts
        All checks.
    failures
        What went wrong besides; empty if nothing did.
    """

    state_bytes: int = 0
    transactions: int = 0
    rows_changed: int = 0
    full: Transfers = field(default_factory=Transfers)
    keyframe: Transfers = field(default_factory=Transfers)
    deltas: Transfers = field(default_factory=Transfers)
    resumed: Transfers = field(default_factory=Transfers)
    cut_bytes: int = 0
    missed_states: int = 0
    verdicts: list[verify.Verdict] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Scenario:
    """A database, its publisher, a slow link and a follower; a context manager.

    Parameters
    ----------
    source
        Where the database is made.
    copy
        Where the follower puts its replica.
    size_bytes
        Least size of the database.
    codec
        Second stage of the encoder.
    reporter
        Where to tell what happens.
    """

    def __init__(
        self, source: Path, copy: Path, size_bytes: int, codec: CodecName, reporter: Reporter
    ) -> None:
        self._source = source
        self._copy = copy
        self._size_bytes = size_bytes
        self._codec = codec
        self._reporter = reporter
        self._result = Result()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Scenario:
        """Use it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the follower, the publisher and the link."""
        self._stack.close()

    def run(self, batches: int) -> Result:
        """Go through all of it.

        Parameters
        ----------
        batches
            Batches of transactions.

        Returns
        -------
        Result
            What was measured, and every check.

        Raises
        ------
        CommandError
            A step could not be done at all.
        OSError
            A system call failed, for instance because the disk is full.
        """
        self._build(batches * _TRANSACTIONS_PER_BATCH)
        # In reverse order of entering: the link is cut before its ends are closed.
        publisher = Publisher.from_file(self._source, codec=self._codec)
        self._publisher = self._stack.enter_context(publisher)
        self._link = self._stack.enter_context(Link(LINK_BITS_PER_SECOND))
        self._address = self._link.forward(publisher.listen("127.0.0.1:0"))
        self._full_copy()
        self._first()
        half = (batches - _MISSED_BATCHES) // 2
        for _ in range(half):
            self._batch()
        self._kill()
        self._resume()
        for _ in range(batches - half - _MISSED_BATCHES):
            self._batch()
        self._last()
        while self._result.full.count < _FULL_COPIES:
            self._full_copy()
        self._result.transactions = self._workload.transactions
        self._result.rows_changed = self._workload.rows_changed
        return self._result

    def _build(self, transactions: int) -> None:
        started = time.perf_counter()
        self._workload = workload.Workload(self._source, self._size_bytes, transactions)
        self._stack.callback(self._workload.close)
        seconds = time.perf_counter() - started
        state_bytes = self._source.stat().st_size
        self._result.state_bytes = state_bytes
        self._fingerprint = verify.fingerprint(self._source, workload.TABLES)
        rows = self._fingerprint.rows
        self._reporter.event(
            "database",
            f"[bold]database[/]   {size(state_bytes)}, {sum(rows.values()):,} rows in {len(rows)} "
            f"tables with 4 indexes, made in {duration(seconds)}",
            state_bytes=state_bytes,
            rows=rows,
            seconds=seconds,
        )

    def _full_copy(self) -> None:
        sent = fullcopy.send(self._source, self._link)
        self._result.full.add(sent.wire_bytes, sent.seconds)
        self._reporter.event(
            "full_copy",
            f"[bold]full copy[/]  {size(sent.wire_bytes)} over the link of 1 Gbit/s in "
            f"{duration(sent.seconds)}",
            wire_bytes=sent.wire_bytes,
            seconds=sent.seconds,
        )

    def _first(self) -> None:
        """Start the follower on an empty disk: it gets a keyframe."""
        sequence = self._publisher.sequence
        wire_bytes, seconds = self._bring_up_to_date(sequence)
        self._result.keyframe.add(wire_bytes, seconds)
        self._sequence = sequence
        self._same_digest(sequence)
        verdict = self._check(sequence, self._fingerprint)
        self._reporter.event(
            "keyframe",
            f"[bold]keyframe[/]   {size(wire_bytes)} ({self._codec}) in {duration(seconds)}  "
            f"{_mark(verdict)}",
            sequence=sequence,
            wire_bytes=wire_bytes,
            seconds=seconds,
            checks=_checks(verdict),
        )

    def _bring_up_to_date(self, sequence: int) -> tuple[int, float]:
        """Start the follower; bytes and seconds from its connection to its acknowledgement."""
        before = self._link.forwarded_bytes
        self._follower = self._stack.enter_context(Follower(self._address, self._copy))
        # Starting a process is no part of what a replica costs.
        if not self._link.wait_connected(_TIMEOUT_SECONDS):
            raise CommandError("the follower did not connect")
        seconds = self._wait_acknowledged(sequence, time.perf_counter())
        return self._link.forwarded_bytes - before, seconds

    def _wait_acknowledged(self, sequence: int, started: float) -> float:
        """Seconds since `started` when the follower's acknowledgement arrived."""
        if not self._publisher.wait(sequence, timeout=_TIMEOUT_SECONDS):
            raise CommandError(
                f"sequence {sequence} was not acknowledged in {_TIMEOUT_SECONDS:.0f} s"
            )
        return time.perf_counter() - started

    def _batch(self) -> None:
        """One batch of transactions, published, acknowledged and checked."""
        rows_before = self._workload.rows_changed
        self._workload.batch(_TRANSACTIONS_PER_BATCH)
        before = self._link.forwarded_bytes
        started = time.perf_counter()
        published = self._publisher.publish()
        seconds = self._wait_acknowledged(published.sequence, started)
        wire_bytes = self._link.forwarded_bytes - before
        self._result.deltas.add(wire_bytes, seconds)
        self._sequence = published.sequence
        self._fingerprint = verify.fingerprint(self._source, _HASHED_ALWAYS)
        self._same_digest(published.sequence)
        verdict = self._check(published.sequence, self._fingerprint)
        state_bytes = self._result.state_bytes
        self._reporter.event(
            "delta",
            f"[bold]delta {published.sequence:<4}[/] "
            f"{self._workload.rows_changed - rows_before} rows, "
            f"{percent(published.changed_bytes, state_bytes)} of the bytes changed"
            f"{size(wire_bytes):>10}{ratio(state_bytes, wire_bytes):>8}{duration(seconds):>10}  "
            f"{_mark(verdict)}",
            sequence=published.sequence,
            rows_changed=self._workload.rows_changed - rows_before,
            changed_bytes=published.changed_bytes,
            wire_bytes=wire_bytes,
            seconds=seconds,
            checks=_checks(verdict),
        )

    def _same_digest(self, sequence: int) -> None:
        """Compare the digest that the follower found with the publisher's."""
        event = self._follower.wait_applied(sequence, _TIMEOUT_SECONDS)
        if event["digest"] != f"{self._publisher.digest:016x}":
            self._result.failures.append(f"sequence {sequence}: the digests differ")

    def _check(self, sequence: int, source: verify.Fingerprint) -> verify.Verdict:
        verdict = verify.check(self._copy, sequence, source)
        self._result.verdicts.append(verdict)
        if not verdict.good:
            self._result.failures.append(str(verdict))
        return verdict

    def _kill(self) -> None:
        """Kill the follower with a part of a delta delivered and the rest on the wire."""
        self._workload.batch(_TRANSACTIONS_PER_BATCH)
        before = self._link.downstream.forwarded_bytes
        mean_bytes = self._result.deltas.wire_bytes // max(1, self._result.deltas.count)
        self._link.downstream.hold_after(max(1, mean_bytes // 3))
        published = self._publisher.publish()
        if not self._link.downstream.wait_held(_TIMEOUT_SECONDS):
            raise CommandError("no delta was on the wire to be cut")
        self._follower.kill()
        self._result.cut_bytes = self._link.downstream.forwarded_bytes - before
        self._link.downstream.release()
        if not self._link.wait_idle(_TIMEOUT_SECONDS):
            raise CommandError("the killed follower's connection stayed open")
        # What is on the disk now must be the state before, whole.
        verdict = self._check(self._sequence, self._fingerprint)
        self._reporter.event(
            "killed",
            f"[bold red]SIGKILL[/]    after {size(self._result.cut_bytes)} of delta "
            f"{published.sequence}; on disk is state {self._sequence}, whole  {_mark(verdict)}",
            sequence=published.sequence,
            on_disk=self._sequence,
            cut_bytes=self._result.cut_bytes,
            checks=_checks(verdict),
        )
        self._sequence = published.sequence
        self._result.missed_states = 1

    def _resume(self) -> None:
        """Start the follower again after more batches: one delta must bring it up to date."""
        for _ in range(_MISSED_BATCHES - 1):
            self._workload.batch(_TRANSACTIONS_PER_BATCH)
            self._sequence = self._publisher.publish().sequence
            self._result.missed_states += 1
        wire_bytes, seconds = self._bring_up_to_date(self._sequence)
        self._result.resumed.add(wire_bytes, seconds)
        self._must_have_resumed()
        self._fingerprint = verify.fingerprint(self._source, workload.TABLES)
        self._same_digest(self._sequence)
        verdict = self._check(self._sequence, self._fingerprint)
        self._reporter.event(
            "resumed",
            f"[bold green]resumed[/]    {self._result.missed_states} missed states by one delta of "
            f"{size(wire_bytes)}  {_mark(verdict)}",
            sequence=self._sequence,
            missed_states=self._result.missed_states,
            wire_bytes=wire_bytes,
            seconds=seconds,
            checks=_checks(verdict),
        )

    def _must_have_resumed(self) -> None:
        def is_applied(event: Event) -> bool:
            return bool(event["event"] == "applied")

        if self._follower.wait_for(is_applied, _TIMEOUT_SECONDS)["kind"] != "delta":
            self._result.failures.append("the restarted follower needed a keyframe")

    def _last(self) -> None:
        """Check the last state once more, with the contents of all tables."""
        self._check(self._sequence, verify.fingerprint(self._source, workload.TABLES))


def _mark(verdict: verify.Verdict) -> str:
    return "[green]✓[/]" if verdict.good else f"[red]✗ {verdict}[/]"


def _checks(verdict: verify.Verdict) -> dict[str, object]:
    return {
        "integrity_check": verdict.integrity,
        "rows_equal": verdict.rows_equal,
        "contents_equal": verdict.tables_equal,
        "contents_of": list(verdict.tables),
        "bytes_equal": verdict.bytes_equal,
    }


def checks_passed(verdicts: list[verify.Verdict]) -> dict[str, int]:
    """Count which checks passed.

    Parameters
    ----------
    verdicts
        All checks.
    """
    return {
        "integrity_check": sum(item.integrity == "ok" for item in verdicts),
        "rows_equal": sum(item.rows_equal for item in verdicts),
        "contents_equal": sum(item.tables_equal for item in verdicts),
        "bytes_equal": sum(item.bytes_equal for item in verdicts),
    }
