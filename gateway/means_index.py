"""Indices of every site's outdoor air and rooms, hour by hour, as lines of `index`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import structlog

from edge.index import INDICES, Hours, Index
from edge.network import Network
from edge.problem import Problem
from edge.readings import Array
from gateway.indices import indices
from gateway.line import tags
from gateway.means import Means
from gateway.means_due import Key, Wait, Work, zone_of
from gateway.means_span import HOUR

BACK = 23
"""Hours before its own that an index looks at, at most."""
KEPT = 48 * HOUR
"""How long hourly means are remembered, so that an hour's indices don't read a day of history."""

_log = structlog.get_logger(__name__)
Area = tuple[str, str]
"""A site and one of its rooms, empty for the air outdoors."""


@lru_cache(maxsize=1)
def known() -> Mapping[str, Index]:
    """Our indices and those that installed packages bring; ours alone where one of these is bad."""
    try:
        return indices()
    except (Problem, ImportError, AttributeError) as error:
        _log.error("no index but our own", reason=str(error))
        return INDICES


@dataclass(slots=True)
class Memory:
    """Hourly means by zone, hour and node: by area, one value a quantity of `quantities` (NaN: none)."""

    quantities: tuple[str, ...]
    hours: dict[tuple[str, int, str], dict[Area, Array]] = field(default_factory=dict)

    def learn(self, work: Work, means: Means) -> None:
        """Remember what an hour's work has found, also where it found nothing."""
        for key, wait in work.items():
            self.hours.update({(key.zone, key.start, node): {} for node in wait.nodes})
        zones = {(key.start, node): key.zone for key, wait in work.items() for node in wait.nodes}
        nothing = np.full(means.start.size, np.nan)
        table = [means.of[name].value if name in means.of else nothing for name in self.quantities]
        for at, (place, start) in enumerate(zip(means.place.tolist(), means.start.tolist(), strict=True)):
            one = means.places[place]
            values = np.array([cells[at] for cells in table])
            self.hours[zones[start, one.node], start, one.node][one.site, one.room] = values

    def forget(self) -> None:
        """Forget what is long behind the newest hour."""
        newest = max((start for _, start, _ in self.hours), default=0)
        self.hours = {key: said for key, said in self.hours.items() if key[1] >= newest - KEPT}

    def missing(self, zone: str, hours: range, nodes: list[str]) -> Work:
        """Hours and nodes of which nothing is remembered, as work."""
        lacking: Work = {}
        for start in hours:
            names = {node: 0 for node in nodes if (zone, start, node) not in self.hours}
            if names:
                lacking[Key("air_1h", zone, start)] = Wait(0.0, 0.0, names)
        return lacking

    def mean(self, zone: str, area: Area, hours: range, nodes: list[str]) -> Hours:
        """An area's hours: the mean of its nodes' means."""
        table = np.full((len(self.quantities), len(hours)), np.nan)
        for at, start in enumerate(hours):
            found = [self.hours.get((zone, start, node), {}).get(area) for node in nodes]
            cells = np.array([one for one in found if one is not None])
            if cells.size:
                table[:, at] = _across(cells)
        return Hours(np.array(hours) + HOUR, dict(zip(self.quantities, table, strict=True)))


def _across(cells: Array) -> Array:
    there = np.isfinite(cells)
    count = there.sum(axis=0)
    total = np.where(there, cells, 0.0).sum(axis=0)
    mean: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


@dataclass(frozen=True, slots=True)
class Stretch:
    """The hours of a zone whose indices an hour's work changes, and the areas and nodes that these are of."""

    zone: str
    hours: range
    areas: dict[Area, list[str]]
    gone: dict[str, tuple[int, int]]
    """Sites whose indices may be wrong as they stand, and from which to which hour."""

    @property
    def behind(self) -> range:
        """These hours and those that their indices look back at."""
        return range(self.hours.start - BACK * HOUR, self.hours.stop, HOUR)

    def lines(self, memory: Memory) -> Iterator[str]:
        """The indices of these hours, stamped with the hour's start."""
        for area, nodes in self.areas.items():
            hours = memory.mean(self.zone, area, self.behind, nodes)
            for index in known().values():
                value = index.of(hours)
                band = index.band(value)
                for at in np.flatnonzero(np.isfinite(value) & (hours.time > self.hours.start)).tolist():
                    stamp = int(hours.time[at]) - HOUR
                    said = f"value={float(np.round(value[at], 4))!r},band={int(band[at])}i"
                    yield f"index{_where(area, index.id)} {said} {stamp}"


def _where(area: Area, index: str) -> str:
    site, room = area
    return tags(area="indoor" if room else "outdoor", index=index, room=room, site=site)


def stretches(work: Work, lost: set[tuple[Key, str]], network: Network, now: int) -> Iterator[Stretch]:
    """What an hour's work changes, zone by zone."""
    for zone in {key.zone for key in work}:
        starts = sorted(key.start for key in work if key.zone == zone)
        last = min(starts[-1] + BACK * HOUR, (now - starts[0]) // HOUR * HOUR + starts[0] - HOUR)
        found = _sites(network, [(key, node) for key in work for node in work[key].nodes if key.zone == zone])
        sites = {site for site in found if zone_of(network, site) == zone}
        gone: dict[str, list[int]] = {}
        for key, node in lost:
            for site in sites & _sites(network, [(key, node)]) if key.zone == zone else ():
                gone.setdefault(site, []).append(key.start)
        spread = {site: (min(some), max(some) + BACK * HOUR) for site, some in gone.items()}
        yield Stretch(zone, range(starts[0], last + HOUR, HOUR), _areas(network, sites), spread)


def _sites(network: Network, spans: list[tuple[Key, str]]) -> set[str]:
    """Where the nodes stood at the spans' ends."""
    stood = (network.placed(node, key.end - 1) for key, node in spans)
    return {place.site for place in stood if place}


def _areas(network: Network, sites: set[str]) -> dict[Area, list[str]]:
    """The areas of these sites and the nodes that have ever stood there."""
    found: dict[Area, list[str]] = {}
    for node in network.nodes.values():
        for area in {(place.site, place.room) for place in node.placements if place.site in sites}:
            found.setdefault(area, []).append(node.id)
    return found
