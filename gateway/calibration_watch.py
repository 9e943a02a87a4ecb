"""Drift of the sensors in service: courses from the history, and what they ask for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.assign import Setup, Setups
from edge.drift import DAY_H, HOUR, NEAR, RULE, Course, Rule, Watched, judged, median_of
from edge.network import Network, Site
from edge.readings import SECOND, Array, Flag, Readings
from edge.recalibration import Proposal, carried, proposal
from gateway.history import History
from gateway.journal import Journal
from gateway.reference.nearest import kilometres
from gateway.reference.store import references

NEAR_KM = 15.0
"""How far [km] a station or another site may be to be a proxy (MOMA for PM: Miskell et al. 2023)."""
WHOLE = 0.75
MEMORY = 90 * DAY_H * HOUR
"""How far back [ns] a visit of a travelling node counts."""
QUANTITIES = ("pm25",)
"""What the service watches."""

Hourly = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a node stands now, with which sensor, and since when [ns] that and its calibration hold."""

    node: str
    site: str
    room: str
    serial: str
    since: int
    own: bool
    """Whether its calibration is its sensor's own, not the fleet's."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch has found: each node beside its proxies, and what drifts and travelling nodes ask for."""

    watched: tuple[Watched, ...] = ()
    proposals: tuple[Proposal, ...] = ()


def watch(
    journal: Journal,
    history: History,
    network: Network,
    now: int,
    quantity: str = "pm25",
    rule: Rule = RULE,
) -> Seen:
    """Each node that can be watched at `now` [ns UTC], by its references, and by its neighbours."""
    first, _ = journal.extent() or (now, now)
    stands = list(_stands(network, quantity, now, first))
    end = now // HOUR
    recent = end - (rule.fit_days + 2 * rule.days) * DAY_H
    spans = {(s.since // HOUR, s.since // HOUR + rule.usual_days * DAY_H) for s in stands}
    visits = list(_visits(network, stands, max(first, now - MEMORY), now))
    wanted = _joined([(recent, end), *spans, *(one.hours for one in visits)], end)
    if not stands or not wanted:
        return Seen()
    hours = np.arange(wanted[0][0], end)
    own = _hourly(history, hours, wanted, [one.node for one in stands], quantity)
    stations = _stations(journal, network, hours, quantity)
    courses = [_by_references(one, hours, own, stations, network, quantity) for one in stands]
    beside = [_by_neighbours(one, stands, hours, own, network, quantity) for one in stands]
    found = [one for kind in (courses, beside) for one in judged([c for c in kind if c], rule)]
    met = [_met(one, visits, hours, own, quantity) for one in stands if not one.own]
    asked = [*(carried(course) for course in met if course), *(proposal(one, rule) for one in found)]
    mends: dict[str, Proposal] = {}
    for mend in filter(None, asked):  # travelling nodes are asked first, then references
        mends.setdefault(mend.node, mend)
    return Seen(tuple(found), tuple(mends.values()))


# -- where nodes stand --------------------------------------------------------------------------------


def _stands(network: Network, quantity: str, now: int, first: int) -> Iterator[Stand]:
    """The nodes as they stand at `now` [ns]; nothing was stored before `first` [ns]."""
    newest: dict[str, Setup] = {}
    for setup in Setups.of(network).table:
        if setup.node is not None and setup.since <= now:
            newest[setup.node.id] = setup
    for node, setup in newest.items():
        sensor, place, entry = setup.sensor(quantity), setup.placement, setup.calibrations.get(quantity)
        if sensor and place:
            since = max(setup.stood, entry.since if entry else 0, first)
            yield Stand(node, place.site, place.room, sensor[1], since, bool(entry and entry.serial))


@dataclass(frozen=True, slots=True)
class Visit:
    """The hours [first, last) since 1970 that a travelling node stood somewhere else than at first."""

    node: str
    site: str
    room: str
    hours: tuple[int, int]


def _visits(network: Network, stands: Sequence[Stand], first: int, now: int) -> Iterator[Visit]:
    """The visits since `first` [ns] of the nodes that carry a calibration of their own about."""
    for one in (one for one in stands if one.own):
        places = network.nodes[one.node].placements
        home = places[0].site, places[0].room
        ends = [*(place.since for place in places[1:]), now]
        for place, end in zip(places, ends, strict=True):
            if (place.site, place.room) != home and end > first and place.since < now:
                hours = -(-max(place.since, first) // HOUR), min(end, now) // HOUR
                yield Visit(one.node, place.site, place.room, hours)


def _near(one: Site | None, other: Site | None) -> bool:
    if one is None or other is None:
        return False
    if one.id == other.id:
        return True
    spot = (one.lat, one.lon, other.lat, other.lon)
    return None not in spot and kilometres(*spot) <= NEAR_KM  # type: ignore[arg-type]  # none is None


# -- hourly means -------------------------------------------------------------------------------------


def _joined(spans: Collection[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The hours [first, last) that the spans cover together, in order."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted((max(first, 0), min(last, end)) for first, last in spans):
        if first >= last:
            continue
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined


def _hourly(
    history: History, hours: Array, wanted: Sequence[tuple[int, int]], nodes: Sequence[str], quantity: str
) -> Hourly:
    """Corrected hourly means of good and suspect samples by the 75 % rule; NaN where there is none."""
    found = {node: np.full(hours.size, np.nan) for node in nodes}
    first = int(hours[0])
    for begin, end in wanted:
        for start in range(begin, end, DAY_H):
            rows = history.read(start * HOUR, min(start + DAY_H, end) * HOUR, nodes)
            for node, hour, mean in _means(rows, quantity):
                found[node][hour - first] = mean
    return found


def _means(rows: Readings, quantity: str) -> Iterator[tuple[str, int, float]]:
    column = rows.columns.get(quantity)
    if column is None:
        return
    good = np.isfinite(column.value) & ((column.flag == Flag.GOOD) | (column.flag == Flag.SUSPECT))
    rows, value = rows.take(good), column.value[good]
    base = int(rows.time.min(initial=0)) // HOUR if len(rows) else 0
    key = rows.node.astype(np.int64) * (1 << 20) + (rows.time // HOUR - base)
    groups, place = np.unique(key, return_inverse=True)
    seconds = np.bincount(place, np.minimum(rows.dt, HOUR // SECOND), groups.size)
    mean = np.bincount(place, value, groups.size) / np.maximum(np.bincount(place, minlength=groups.size), 1)
    for group, covered, one in zip(groups.tolist(), seconds.tolist(), mean.tolist(), strict=True):
        if covered >= WHOLE * (HOUR // SECOND):
            yield rows.nodes[group >> 20], base + (group & ((1 << 20) - 1)), one


def _stations(journal: Journal, network: Network, hours: Array, quantity: str) -> Hourly:
    """The hourly values of the reference stations that the files name."""
    table = references(journal, int(hours[0]) * HOUR, (int(hours[-1]) + 1) * HOUR, list(network.stations))
    name = f"ref_{quantity}"
    found = {station: np.full(hours.size, np.nan) for station in network.stations}
    if name in table.numbers:
        good = table.numbers[f"{name}_flag"] == Flag.GOOD
        for row in np.flatnonzero(good).tolist():
            station = table.device.names[table.device.code[row]]
            found[station][int(table.time[row]) // HOUR - int(hours[0])] = table.numbers[name][row]
    return found


# -- courses ------------------------------------------------------------------------------------------


def _by_references(
    one: Stand, hours: Array, own: Hourly, stations: Hourly, network: Network, quantity: str
) -> Course | None:
    """A node outdoors beside the stations around it."""
    site = network.sites.get(one.site)
    if one.room or site is None or site.lat is None or site.lon is None:
        return None
    near = {
        name: stations[name]
        for name, station in network.stations.items()
        if kilometres(site.lat, site.lon, station.lat, station.lon) <= NEAR_KM
        and np.isfinite(stations[name]).any()
    }
    return _course(one, "references", near, hours, own, quantity, 1) if near else None


def _by_neighbours(
    one: Stand, stands: Sequence[Stand], hours: Array, own: Hourly, network: Network, quantity: str
) -> Course | None:
    """A node beside those in its room, or a node outdoors beside those outdoors around it."""
    here = network.sites.get(one.site)
    near = {
        other.node: own[other.node]
        for other in stands
        if other.node != one.node
        and other.room == one.room
        and ((other.site == one.site) if one.room else _near(here, network.sites.get(other.site)))
    }
    least = NEAR - 1
    return _course(one, "neighbours", near, hours, own, quantity, least) if len(near) >= least else None


def _met(one: Stand, visits: Sequence[Visit], hours: Array, own: Hourly, quantity: str) -> Course | None:
    """A node beside those that have visited it."""
    met: Hourly = {}
    for visit in visits:
        if (visit.site, visit.room) == (one.site, one.room) and visit.node != one.node:
            there = (hours >= visit.hours[0]) & (hours < visit.hours[1])
            known = met.get(visit.node, np.full(hours.size, np.nan))
            met[visit.node] = np.where(there, own[visit.node], known)
    return _course(one, "travelling", met, hours, own, quantity, 1) if met else None


def _course(
    one: Stand, kind: str, near: Mapping[str, Array], hours: Array, own: Hourly, quantity: str, least: int
) -> Course:
    begin = max(one.since // HOUR, int(hours[0]))
    heard = np.isfinite(own[one.node])
    begin = max(begin, int(hours[heard.argmax()])) if heard.any() else begin
    proxy = median_of(near, least)
    return Course(one.node, one.serial, quantity, kind, tuple(near), hours, own[one.node], proxy, begin)
