"""Means of good samples by the 75 % rule, as lines of `air_1m`, `air_1h` and `air_1d`.

The gateway makes them from the history, never the database, and makes them again when samples come late, are
recomputed or reassigned.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from edge.mean import SUMS, Mean, concluded, sums
from edge.network import Network
from edge.readings import Array, Readings
from gateway.line import Standing, fields, head, numbers, standing
from gateway.means_due import Fate, Key, Work, zone_of

DIGITS = 4
"""Decimals of what is written: a hundredth of what any sensor resolves, at most."""
_PLACES = 1 << 24


@dataclass(frozen=True, slots=True)
class Means:
    """The means of several spans: where each point's node stood, its span's `start` and `end` [ns UTC]."""

    places: tuple[Standing, ...]
    place: Array
    start: Array
    end: Array
    of: Mapping[str, Mean]

    def whole(self) -> set[tuple[int, str]]:
        """The start and node of the points that have every mean that their node can have."""
        lacks = np.zeros(self.start.size, bool)
        for mean in self.of.values():
            lacks |= np.isfinite(mean.n) & np.isnan(mean.value)
        found = np.flatnonzero(~lacks)
        nodes = (self.places[place].node for place in self.place[found].tolist())
        return set(zip(self.start[found].tolist(), nodes, strict=True))

    def lines(self, measurement: str) -> list[str]:
        """The points as lines, stamped with their span's start."""
        heads = np.array([head(measurement, place) for place in self.places] or [""], object)[self.place]
        cells = [texts for name, mean in self.of.items() for texts in _cells(name, mean)]
        if not cells:
            return []
        bodies = map("".join, zip(*cells, strict=True))
        stamps = numbers(self.start).split(",")
        return [
            f"{first}{body[:-1]} {stamp}"
            for first, body, stamp in zip(heads.tolist(), bodies, stamps, strict=True)
            if body
        ]


def _cells(name: str, mean: Mean) -> Iterator[list[str]]:
    for suffix, cells in (("", mean.value), ("_raw", mean.raw), ("_u", mean.u), ("_share", mean.share)):
        yield fields(name + suffix, np.round(cells, DIGITS))
    counts = np.where(np.isfinite(mean.n), mean.n, -1).astype(np.int64).tolist()
    yield [f"{name}_n={count}i," if count >= 0 else "" for count in counts]


@dataclass(slots=True)
class Tally:
    """Adds up, piece by piece, the samples that lie in the spans of `work`."""

    work: Work
    network: Network
    _places: dict[Standing, int] = field(default_factory=dict)
    _parts: list[tuple[Array, Array, Array, dict[str, Array]]] = field(default_factory=list)

    def add(self, rows: Readings) -> None:
        """Add samples, none of them twice."""
        where, found = standing(rows, self.network)
        zones = {zone_of(self.network, one.site) for one in found if one}
        for zone in zones:
            mine = [one is not None and zone_of(self.network, one.site) == zone for one in found]
            self._add(zone, rows.take(index := np.flatnonzero(np.array(mine)[where])), where[index], found)

    def _add(self, zone: str, rows: Readings, where: Array, found: list[Standing | None]) -> None:
        keys = [key for key in self.work if key.zone == zone]
        if not keys or not len(rows):
            return
        start = keys[0].span.starts(zone, rows.time)
        code = np.array([self._places.setdefault(one, len(self._places)) if one else -1 for one in found])
        point, first, place = np.unique(
            _wanted(keys_of(self.work, zone), rows, start) * _PLACES + code[where],
            return_index=True,
            return_inverse=True,
        )
        kept = point >= 0
        added = {name: sums(column, rows.dt, place, point.size) for name, column in rows.columns.items()}
        wanted = {name: cells[kept] for name, cells in added.items()}
        starts = start[first][kept]
        ends = np.array([keys[0].span.end(zone, one) for one in starts.tolist()], np.int64)
        self._parts.append((point[kept] % _PLACES, starts, ends, wanted))

    def means(self) -> Means:
        """The means of what has been added."""
        if not self._parts:
            empty = np.zeros(0, np.int64)
            return Means((), empty, empty, empty, {})
        place, start, end = (np.concatenate([part[at] for part in self._parts]) for at in range(3))
        pair, first, row = np.unique(np.stack([start, place]), axis=1, return_index=True, return_inverse=True)
        row = row.reshape(-1)
        names = dict.fromkeys(name for part in self._parts for name in part[3])
        spans = (end - start)[first]
        found = {name: concluded(self._total(name, row, first.size), spans) for name in names}
        return Means(tuple(self._places), pair[1], pair[0], end[first], found)

    def _total(self, name: str, row: Array, size: int) -> Array:
        parts = [part[3].get(name, np.zeros((part[0].size, SUMS))) for part in self._parts]
        total = np.zeros((size, SUMS))
        np.add.at(total, row, np.concatenate(parts))
        return total


def lost(work: Work, means: Means) -> set[tuple[Key, str]]:
    """The spans and nodes of which something that is written has to go before the new means are."""
    whole = means.whole()
    return {
        (key, node)
        for key, wait in work.items()
        for node, fate in wait.nodes.items()
        if fate == Fate.MOVED or (fate == Fate.REVISED and (key.start, node) not in whole)
    }


def keys_of(work: Work, zone: str) -> Mapping[int, Mapping[str, int]]:
    """The nodes of a zone's spans, by their start."""
    return {key.start: wait.nodes for key, wait in work.items() if key.zone == zone}


def _wanted(spans: Mapping[int, Mapping[str, int]], rows: Readings, start: Array) -> Array:
    """The number of each row's span and node, -1 where its means aren't asked for."""
    starts, at = np.unique(start, return_inverse=True)
    table = [[node in spans.get(one, ()) for node in rows.nodes] for one in starts.tolist()]
    asked = np.array(table, bool).reshape(starts.size, len(rows.nodes))[at, rows.node]
    return np.where(asked, at.astype(np.int64), -1)
