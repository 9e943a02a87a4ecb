"""Moves hours that have ended from the journal to the archive, once neighbours and stations have been heard
about them, and lets the journal's blocks go."""

from edge.readings import UNTIMED, Readings
from gateway.archive import HOUR, Archive, in_hour
from gateway.drafts import readings_draft
from gateway.history import History, newest
from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.plausible import implausible

AFTER = 1
"""Hours after its end that an hour is archived."""
UNTIMED_AFTER = 7 * 24
"""Hours after their arrival that rows of a boot without a clock are archived as such."""
QUIET = 600.0
"""Seconds without new rows for an hour of the past, by the machine's clock: a backlog is written once."""


class Archiving:
    """Writes ripe hours, at most `most` a round."""

    def __init__(
        self,
        journal: Journal,
        archive: Archive,
        history: History,
        live: Live,
        metrics: Metrics,
        readers: tuple[str, ...],
        quiet: float = QUIET,
        most: int = 24,
    ) -> None:
        self._journal, self._archive, self._history = journal, archive, history
        self._live, self._metrics, self._readers = live, metrics, readers
        self._quiet, self._most = quiet, most
        self._seen: dict[int, tuple[list[int], float]] = {}

    def tick(self, now: float) -> None:
        """Archive what has been quiet for long enough at `now` [monotonic s], then release blocks."""
        hour = self._live.now // HOUR
        ripe = self._journal.ripe(hour - AFTER, -(hour - UNTIMED_AFTER), 10 * self._most)
        self._seen = {one: self._known(one, blocks, now) for one, blocks in ripe.items()}
        due = [one for one, (_, since) in self._seen.items() if now - since >= self._quiet]
        for one in due[: self._most]:
            self._write(one, ripe[one])
        if due:
            self.release()

    def release(self) -> None:
        """Let go of archived blocks that every reader has passed; remove files that nothing names."""
        passed = min((self._journal.cursor(name) for name in self._readers), default=self._journal.newest())
        self._metrics.count("archive_released", self._journal.release(passed))
        self._archive.sweep()

    def _known(self, hour: int, blocks: list[int], now: float) -> tuple[list[int], float]:
        seen = self._seen.get(hour)
        return seen if seen and seen[0] == blocks else (blocks, now)

    def _write(self, hour: int, blocks: list[int]) -> None:
        parts = [self._archive.load(name) for name in self._journal.files(hour, hour + 1)]
        rows, revision = newest([*parts, self._history.blocks(blocks)])
        mask = in_hour(rows, hour) if hour >= 0 else rows.time == UNTIMED
        rows, revision = rows.take(mask), revision[mask]
        if hour >= 0 and self._doubted(rows, hour):
            return  # what was found is a block of this hour too, and is archived with it
        name, sha256 = self._archive.write(hour, rows, revision, self._site)
        self._journal.enter(hour, name, len(rows), sha256, blocks)
        self._metrics.count("archive_files")

    def _doubted(self, rows: Readings, hour: int) -> bool:
        """Whether neighbours or stations say something about the hour that isn't stored yet; now it is."""
        found = implausible(rows, hour, self._live.network, self._journal)
        if len(found):
            at = self._live.now
            self._journal.commit(at, readings_draft(found, at, b"", "revision"))
            self._metrics.count("implausible", len(found))
        return bool(len(found))

    def _site(self, node: str, time: int) -> str:
        place = self._live.network.placed(node, max(time, 0) or self._live.now)
        return place.site if place else ""
