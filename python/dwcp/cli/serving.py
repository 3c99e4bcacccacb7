"""What ``dwcp publish`` does over and over: look at the file, publish, tell who has what."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dwcp.errors import SourceChanged

from .output import Reporter, digest, duration, percent, rate, ratio, size
from .source import SourceWatch

if TYPE_CHECKING:
    from dwcp.replica import Publisher, PublishResult

# A file that changes whenever it is read is told about once in so many tries.
_TRIES_TOLD = 20


class Session:
    """What the command does over and over, and what it has told so far.

    Parameters
    ----------
    publisher
        What sends the states; already listening.
    watch
        Tells when to read the file.
    reporter
        Where to tell what happens.
    """

    def __init__(self, publisher: Publisher, watch: SourceWatch, reporter: Reporter) -> None:
        self._publisher = publisher
        self._watch = watch
        self._reporter = reporter
        self._peers: frozenset[str] = frozenset()
        self._result: PublishResult | None = None
        self._started = 0.0
        # Replicas that come later did not wait for the state, so their time says nothing.
        self._is_timed = False
        self._latency: float | None = None
        self._is_acknowledged = False
        self._tries = 0
        self.published = 1
        self.wire_bytes = 0

    def publish(self) -> None:
        """Publish the file if it may have changed."""
        if not self._watch.changed():
            return
        started = time.perf_counter()
        try:
            result = self._publisher.publish()
        except SourceChanged as error:
            self._watch.forget()
            if self._tries % _TRIES_TOLD == 0:
                text = f"[yellow]not published:[/] {error}"
                self._reporter.event("source_changing", text, reason=str(error))
            self._tries += 1
            return
        self._tries = 0
        if result.wire_bytes == 0 and not result.is_keyframe:
            return
        self._result, self._started = result, started
        self._is_timed, self._latency = bool(self._peers), None
        self._is_acknowledged = False
        self.published += 1
        self.wire_bytes += result.wire_bytes
        self._reporter.event(
            "published",
            None,
            epoch=digest(result.epoch),
            sequence=result.sequence,
            state_bytes=result.state_length_bytes,
            changed_bytes=result.changed_bytes,
            wire_bytes=result.wire_bytes,
            keyframe=result.is_keyframe,
            seconds=result.seconds,
            digest=digest(self._publisher.digest),
        )
        self.show()

    def rest(self, seconds: float) -> None:
        """Pass the time until the next look, and tell who came, left, or has the newest state."""
        is_reached = False
        if self._is_acknowledged:
            time.sleep(seconds)
        else:
            is_reached = self._publisher.wait(timeout=seconds)
        reached_after = time.perf_counter() - self._started
        came = self._look()
        if is_reached:
            self._acknowledged(reached_after)
        elif came and self._is_acknowledged:
            # The newcomers need not have the newest state yet.
            self._is_acknowledged = self._publisher.wait(timeout=0)

    def _look(self) -> bool:
        """Tell who came and who left; whether somebody came."""
        before = self._peers
        # A connection that nothing was sent to has not shown yet that it is a replica's.
        self._peers = frozenset(
            peer.address for peer in self._publisher.connections if peer.sent_bytes > 0
        )
        for address in sorted(self._peers - before):
            text = f"[green]+[/] replica {address}"
            self._reporter.event("replica_connected", text, address=address)
        for address in sorted(before - self._peers):
            self._reporter.event("replica_left", f"[yellow]-[/] replica {address}", address=address)
        if self._peers != before:
            self.show()
        return bool(self._peers - before)

    def _acknowledged(self, seconds: float) -> None:
        self._is_acknowledged = True
        if self._is_timed and self._latency is None:
            self._latency = seconds
        self._reporter.event(
            "acknowledged",
            None,
            sequence=self._publisher.sequence,
            seconds=self._latency,
            replicas=len(self._publisher.connections),
        )
        self.show()

    def show(self) -> None:
        """Show the newest figures."""
        count = len(self._peers)
        replicas = f"{count} replica{'' if count == 1 else 's'}"
        state_bytes, result = self._publisher.state_length_bytes, self._result
        start = [f"seq {self._publisher.sequence}", size(state_bytes)]
        if result is None or result.is_keyframe:
            what = "first state" if result is None else "new state, sent in full"
            self._reporter.status([*start, what, replicas])
            return
        latency = "-" if self._latency is None else duration(self._latency)
        self._reporter.status(
            [
                *start,
                f"{percent(result.changed_bytes, state_bytes)} changed",
                f"{size(result.wire_bytes)} wire",
                ratio(state_bytes, result.wire_bytes),
                rate(state_bytes, result.seconds),
                f"latency {latency}",
                replicas,
            ]
        )
