"""Reference values in service: fetched in a thread of its own, stored in the river's."""

import queue
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from edge.network import Network
from edge.problem import Problem
from gateway.chore import Chore
from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.present import Alarms
from gateway.reference import store
from gateway.reference.ask import Ask
from gateway.reference.hour import HOUR
from gateway.reference.observed import Observed
from gateway.reference.official import newest
from gateway.reference.problem import KeyMissing, KeyRefused, NotAnswering, QuotaSpent, SourceProblem
from gateway.reference.sources import SOURCES, Source
from gateway.reference.transport import Client

log = structlog.get_logger()

RECENT_H = 72
"""Hours in which a station's newest hour, and what was last said of an alert, are looked for."""

BACK_H = 20
"""Hours that are asked for anew each time: sources correct what they have said."""

HOPELESS = (KeyMissing, KeyRefused, QuotaSpent, NotAnswering)
"""After these the source's other places needn't be asked."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a source gave, and why it didn't give all."""

    source: str
    values: tuple[Observed, ...] = ()
    problem: Problem | None = None


class References:
    """Fetches what the network files' stations name as their source; `tick` stores it."""

    def __init__(
        self, client: Client, journal: Journal, live: Live, alarms: Alarms, metrics: Metrics
    ) -> None:
        self._client, self._journal, self._live = client, journal, live
        self._alarms, self._metrics = alarms, metrics
        self._said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._told = False

    def chores(self, every: float) -> list[Chore]:
        """Its work: to ask every `every` seconds, and to store what came."""
        return [
            Chore("reference fetch", every, self.begin, first=min(every, 30.0)),
            Chore("reference", 2.0, self.tick),
        ]

    def begin(self, _: float = 0.0) -> None:
        """Ask every source once in a thread, unless that is under way or nothing is to be asked."""
        network, now = self._live.network, self._live.now
        if now and asked(network) and (self._thread is None or not self._thread.is_alive()):
            run = lambda: self._fetch(network, now)  # noqa: E731  # one line says what the thread does
            self._thread = threading.Thread(target=run, name="reference", daemon=True)
            self._thread.start()

    def join(self, within: float) -> None:
        """Wait until what is under way has been fetched."""
        if self._thread is not None:
            self._thread.join(within)

    def tick(self, _: float = 0.0) -> None:
        """Store what has been fetched, in the river's thread, and tell it; at first what is stored."""
        fresh = not self._told and self._live.now > 0
        while not self._said.empty():
            fresh = self._take(self._said.get()) or fresh
        if fresh:
            self._told, now = True, self._live.now
            self._live.official = newest(store.references(self._journal, now - RECENT_H * HOUR, now + 1))

    def _fetch(self, network: Network, now: int) -> None:
        for source, places in asked(network).items():
            self._said.put(self._ask(source, places, now))
        self._client.cache.sweep()

    def _ask(self, source: Source, places: Mapping[str, str], now: int) -> Said:
        """Each place for itself: a wrong name in the files mustn't cost the others."""
        values: list[Observed] = []
        problem: Problem | None = None
        for id, name in places.items():
            ask = Ask(now - BACK_H * HOUR, now + max(source.ahead_h, 1) * HOUR, {id: name}, now)
            try:
                values += source.fetch(self._client, ask)
            except HOPELESS as error:
                return Said(source.name, tuple(values), error)
            except Problem as error:
                problem = error
            # A thread that dies of what nobody thought of would be a source that falls silent unnoticed.
            except Exception as error:
                log.exception("reference failed", source=source.name)
                problem = SourceProblem(repr(error), source.name)
        return Said(source.name, tuple(values), problem)

    def _take(self, said: Said) -> bool:
        """Store it; whether there was anything new."""
        found = store.drafts(self._journal, said.source, said.values)
        if found:
            self._journal.commit(self._live.now, found)
        stored = sum(store.count(draft.body) for draft in found)
        self._metrics.count("reference_values", stored, source=said.source)
        if said.problem is None:
            self._alarms.cleared("reference", said.source)
        else:
            self._failed(said.source, said.problem)
        return bool(found)

    def _failed(self, source: str, problem: Problem) -> None:
        kind = type(problem).__name__
        self._metrics.count("reference_failures", source=source, kind=kind)
        log.warning("no reference values", source=source, reason=str(problem))
        # A school that has no key goes without; whoever gave one wants to know that it doesn't work.
        if not isinstance(problem, KeyMissing):
            self._alarms.raised("reference", source, reason=problem.what)


def asked(network: Network) -> Mapping[Source, dict[str, str]]:
    """What to ask of each source: its name for a station by the station's id."""
    found: defaultdict[Source, dict[str, str]] = defaultdict(dict)
    for station in network.stations.values():
        if station.source in SOURCES:
            found[SOURCES[station.source]][station.id] = station.code
    return found
