"""Which means have to be made (again): spans marked by the samples that came into them."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np

from edge.assign import placed
from edge.network import Network
from edge.readings import SECOND, Array, Readings
from gateway.block import Block
from gateway.line_report import unpacked
from gateway.means_span import MINUTE, SPANS, Span

KINDS = ("readings", "revision")
SEOUL = "Asia/Seoul"


@dataclass(frozen=True, slots=True)
class Key:
    """A span of a zone, by the measurement that holds its means; it begins at `start` [ns UTC]."""

    measurement: str
    zone: str
    start: int

    @property
    def span(self) -> Span:
        """Its kind."""
        return SPANS[self.measurement]

    @property
    def end(self) -> int:
        """When it ends [ns UTC]."""
        return self.span.end(self.zone, self.start)


class Fate(IntEnum):
    """What has become of the means that are written: there are none or they are overwritten whole; a value
    may have fallen away, if the new ones lack it; their place may be another."""

    NEW = 0
    REVISED = 1
    MOVED = 2


@dataclass(slots=True)
class Wait:
    """The nodes of a span whose means wait, each with the fate of the present ones; marked first and last at
    [monotonic s]."""

    since: float
    touched: float
    nodes: dict[str, int] = field(default_factory=dict)

    def settled(self, span: Span, now: float) -> bool:
        """Whether nothing has come for a while, or enough has been waited."""
        return now - self.touched >= span.quiet or now - self.since >= span.longest


Work = dict[Key, Wait]
"""Spans of one measurement whose means are made together."""


class Due:
    """The marked spans; `moment` tells the monotonic second. In a `hurry` nothing has to settle."""

    def __init__(self, moment: Callable[[], float], hurry: bool = False) -> None:
        self._moment, self._hurry = moment, hurry
        self.waits: Work = {}

    # -- marking ----------------------------------------------------------------------------------------

    def take(self, block: Block, network: Network) -> None:
        """Mark what a block's samples change; a revision may take a value away from a mean or move it."""
        revision = block.kind == "revision"
        if block.body is not None:
            self.mark(unpacked(block.body), network, block.at if revision else None)
        if revision and block.header:
            self._left(json.loads(block.header).get("gone", ()), network, block.at)

    def mark(self, readings: Readings, network: Network, revised: int | None = None) -> None:
        """Mark the spans of these samples; `revised` at [ns] means that a value may fall away."""
        timed = readings.timed()
        rows = readings if timed.all() else readings.take(timed)
        codes, places = placed(rows, network)
        known, code = np.unique(codes, return_inverse=True)
        stood = [places[one] for one in known.tolist()]
        zones = [zone_of(network, place.site) if place else "" for place in stood]
        for zone in sorted(set(zones) - {""}):
            mine = np.flatnonzero(np.array([one == zone for one in zones])[code])
            for span in kinds(network):
                self._spans(span, zone, rows, mine, revised)

    def _spans(self, span: Span, zone: str, rows: Readings, mine: Array, revised: int | None) -> None:
        start = span.starts(zone, rows.time[mine])
        starts, place = np.unique(start, return_inverse=True)
        pairs = np.unique(place * max(1, len(rows.nodes)) + rows.node[mine])
        for pair in pairs.tolist():
            at, node = divmod(pair, max(1, len(rows.nodes)))
            key = Key(span.measurement, zone, int(starts[at]))
            self._mark(key, rows.nodes[node], _fate(key, revised, Fate.REVISED))

    def _left(self, gone: Iterable[list[Any]], network: Network, at: int) -> None:
        """Mark where points stood that have moved; in which zone that was, today's files don't say."""
        zones = {zone_of(network, site) for site in network.sites} or {SEOUL}
        minutes = {(node, low // MINUTE, (last[0] if last else low) // MINUTE) for node, low, *last in gone}
        for node, low, high in minutes:
            for span in kinds(network):
                for zone in zones:
                    for start in _within(span, zone, low * MINUTE, high * MINUTE):
                        key = Key(span.measurement, zone, start)
                        self._mark(key, str(node), _fate(key, at, Fate.MOVED))

    def _mark(self, key: Key, node: str, fate: int) -> None:
        now = self._moment()
        wait = self.waits.setdefault(key, Wait(now, now))
        wait.touched = now
        wait.nodes[node] = max(wait.nodes.get(node, 0), fate)

    # -- taking -----------------------------------------------------------------------------------------

    def next(self, now: int | None) -> Work:
        """The spans whose turn it is at `now` [ns UTC], taken out: ended, settled and near each other."""
        for span in SPANS.values():
            ripe = self._ripe(span, now) if now is not None else []
            if ripe:
                first = min(key.start for key in ripe)
                return {key: self.waits.pop(key) for key in ripe if key.start < first + span.reach}
        return {}

    def _ripe(self, span: Span, now: int) -> list[Key]:
        moment = self._moment()
        return [
            key
            for key, wait in self.waits.items()
            if key.measurement == span.measurement
            and (self._hurry or wait.settled(span, moment))
            and key.end <= now
        ]

    def put_back(self, work: Work) -> None:
        """What was taken and hasn't been done waits again."""
        for key, wait in work.items():
            for node, fate in wait.nodes.items():
                self._mark(key, node, fate)
            self.waits[key].since = min(self.waits[key].since, wait.since)

    def lag(self, now: int | None) -> float:
        """For how long [s] the oldest ended span has waited since it could have been done."""
        if now is None:
            return 0.0
        moment = self._moment()
        ages = (min((now - key.end) / SECOND, moment - wait.since) for key, wait in self.waits.items())
        return max(0.0, *ages) if self.waits else 0.0

    # -- keeping ----------------------------------------------------------------------------------------

    def body(self, doing: Mapping[Key, Wait]) -> bytes:
        """All that waits or is being done, to be read back by `load`."""
        rows = [
            (key.measurement, key.zone, key.start, wait.nodes)
            for work in (self.waits, doing)
            for key, wait in work.items()
        ]
        return msgspec.json.encode(rows)

    def load(self, body: bytes) -> None:
        """Mark what a snapshot holds."""
        for measurement, zone, start, nodes in msgspec.json.decode(body):
            for node, fate in nodes.items():
                self._mark(Key(measurement, zone, start), node, fate)


def _fate(key: Key, at: int | None, fate: Fate) -> Fate:
    """Who was changed at [ns] before the span's end has no means yet."""
    return Fate.NEW if at is None or at < key.end else fate


def kinds(network: Network) -> Collection[Span]:
    """The means that the files want: those of a minute where they stand for the samples."""
    return [span for span in SPANS.values() if span.measurement != "air_1m" or _minutes(network)]


def _minutes(network: Network) -> bool:
    return network.influx_resolution == "air_1m"


def zone_of(network: Network, site: str) -> str:
    """A site's time zone."""
    return network.sites[site].tz if site in network.sites else SEOUL


def _within(span: Span, zone: str, low: int, high: int) -> Iterator[int]:
    """The starts of the spans that meet [low, high] ns."""
    start = int(span.starts(zone, np.array([low]))[0])
    while start <= high:
        yield start
        start = span.end(zone, start)
