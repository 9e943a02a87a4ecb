"""What was stored before InfluxDB was configured, sent from the history: samples, their means and indices.

It may run beside a gateway: what both write is the same, and writing twice is writing once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from edge.network import Network
from edge.readings import SECOND, Readings
from gateway.history import History
from gateway.influx import Target
from gateway.journal import Journal
from gateway.line import air
from gateway.load import Load, put
from gateway.means_flow import Averaging
from gateway.means_span import DAY, HOUR
from gateway.revision import Advance

SNAPSHOT = "backfill"
"""The snapshot that says how far an unfinished backfill has come."""
BACK = 2 * DAY
"""How far a resumed one looks back for spans that hadn't ended where it was stopped."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be sent, [since, until) ns, and to which server."""

    since: int
    until: int
    where: str

    def key(self, network: Network) -> dict[str, object]:
        """What makes an unfinished backfill this one."""
        return {"since": self.since, "where": self.where, "network": network.hash}


@dataclass(slots=True)
class Sent:
    """What a backfill has come to: samples and means written, lines refused, and from where [ns] it was taken
    up (None: from its beginning)."""

    samples: int = 0
    means: int = 0
    refused: int = 0
    resumed: int | None = None


def backfill(
    journal: Journal,
    history: History,
    network: Network,
    target: Target,
    task: Task,
    clock: Callable[[], int],
    advance: Advance = lambda done, all: None,
) -> Sent:
    """Send the task's samples hour by hour, and after each day the means and indices that it completes.

    Killed at any instant, the same task goes on with its day. Raises `Kept` where InfluxDB doesn't answer.
    """
    begin = _resumed(journal, network, task)
    sending = _Sending(journal, history, network, target, Sent(resumed=begin), clock)
    first = task.since if begin is None else begin
    for low in range(max(task.since, first - BACK), first, HOUR):
        sending.mark(history.read(low, min(low + HOUR, first)))
    for day in range(first, task.until, DAY):
        end = min(day + DAY, task.until)
        for low in range(day, end, HOUR):
            sending.samples(history.read(low, min(low + HOUR, end)))
            advance(low - task.since, task.until - task.since)
        sending.means(end)
        journal.snap(SNAPSHOT, 0, json.dumps({**task.key(network), "done": end}).encode())
    journal.snap(SNAPSHOT, 0, b"{}")
    return sending.sent


def task(journal: Journal, since: int, until: int | None, where: str, now: int) -> Task:
    """The task within what is stored up to `now` [ns]."""
    first, last = journal.extent() or (0, -SECOND)
    end = min(last + HOUR, now if until is None else until)
    return Task(max(since, first) // HOUR * HOUR, end, where)


def _resumed(journal: Journal, network: Network, task: Task) -> int | None:
    kept = journal.snapshot(SNAPSHOT)
    said = json.loads(kept[1]) if kept else {}
    place = said.pop("done", None)
    return int(place) if place is not None and said == task.key(network) else None


class _Sending:
    """Writes to a target and counts; what it refuses stands among the rejected lines."""

    def __init__(
        self,
        journal: Journal,
        history: History,
        network: Network,
        target: Target,
        sent: Sent,
        clock: Callable[[], int],
    ) -> None:
        self._journal, self._network, self._target = journal, network, target
        self._averaging = Averaging(journal, history, lambda: network, hurry=True)
        self._clock = clock
        self.sent = sent

    def mark(self, rows: Readings) -> None:
        """Take note of samples that are sent already."""
        self._averaging.due.mark(rows, self._network)

    def samples(self, rows: Readings) -> None:
        """Send samples, unless the files want their means of a minute in their place."""
        self.mark(rows)
        if self._network.influx_resolution == "air":
            self.sent.samples += self._put(Load(lines=air(rows, self._network).lines))

    def means(self, now: int) -> None:
        """Send the means and indices of what has ended at `now` [ns]."""
        while (made := self._averaging.step(now)) is not None:
            self.sent.means += self._put(Load(list(made.gone), list(made.lines)))

    def _put(self, load: Load) -> int:
        load.owners = [0] * len(load.lines)
        put(self._target, load, lambda: False)
        if load.rejects:
            self._journal.move(SNAPSHOT, 0, [(self._clock(), *reject) for reject in load.rejects])
        self.sent.refused += len(load.rejects)
        return len(load.lines) - len(load.rejects)
