"""A journal whose blocks flow into the test's bucket."""

import time
from dataclasses import replace
from pathlib import Path

from edge.network import Network
from gateway.archive import Archive
from gateway.block import Draft
from gateway.clock import Clock, SystemClock
from gateway.history import History
from gateway.influx import Settings
from gateway.influx1 import Login
from gateway.journal import Journal
from gateway.metrics import Metrics
from gateway.outflow import NAME, Backoff, InfluxCursor
from tests.influx.school import network
from tests.servers import Influx, OldInflux, wait_until

QUICK = Backoff(first=0.02, cap=0.2)


class Outflow:
    """A journal, and cursors that write it to the test's bucket."""

    def __init__(self, folder: Path, influx: Influx) -> None:
        self.influx = influx
        self.journal = Journal(folder / "journal.db")
        self.history = History(self.journal, Archive(folder / "archive", self.journal))
        self.metrics = Metrics()
        self.words: list[str] = []
        self.network: Network = network()
        self.clock: Clock = SystemClock()
        self.cursors: list[InfluxCursor] = []

    @property
    def settings(self) -> Settings | Login:
        if isinstance(self.influx, OldInflux):
            return Login(self.influx.url, self.influx.bucket, self.influx.user, self.influx.password)
        return Settings(self.influx.url, self.influx.token, self.influx.org, self.influx.bucket)

    def commit(self, *drafts: Draft) -> None:
        for one in drafts:
            self.journal.commit(self.clock.now() or 1, [one])

    def start(self, backoff: Backoff = QUICK, **changed: str) -> InfluxCursor:
        settings, say = replace(self.settings, **changed), self.words.append
        stores, files = (self.journal, self.history), lambda: self.network
        cursor = InfluxCursor(*stores, settings, files, self.clock, self.metrics, say, backoff)
        self.cursors.append(cursor)
        cursor.start()
        return cursor

    def flow(self) -> None:
        """Start a cursor, let it write all there is, and stop it."""
        cursor = self.start()
        self.drained()
        assert cursor.stop()

    def drained(self) -> None:
        wait_until(lambda: self.journal.cursor(NAME) == self.journal.newest(), 30)

    def count(self, field: str, where: str = "") -> int:
        rows = self.influx.query_influxql(f"SELECT count({field}) FROM air {where}")
        return rows[0]["count"] if rows else 0

    def write(self, line: str) -> None:
        """One line, past the cursor."""
        bucket = self.settings.open()
        bucket.write([line])
        bucket.close()

    def averaged(self) -> None:
        """Let a cursor write all there is, and all means that are due."""
        cursor = self.start()
        self.drained()
        wait_until(lambda: self.metrics.value("means_waiting") == 0, 60)
        assert cursor.stop()


class Hurried:
    """A clock that stands at one moment, and whose machine's seconds fly: nothing has to settle."""

    def __init__(self, now: int) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return time.monotonic() * 10_000

    def announce(self, second: int) -> None:
        """It stands."""
