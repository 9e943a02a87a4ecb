"""What rooms are like, learnt from their own history: read in ten-minute cells, identified, told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np

from edge.efficacy import clogged, efficacy
from edge.identify import LEAST, Identified, Stream, identify, nature
from edge.network import Actuator, Network, Room, Site
from edge.problem import Problem
from edge.readings import SECOND, UNTIMED, Array, Flag, Readings
from edge.room import Balance, lead_hours
from gateway.present import Rooms

DAYS = 28
CELL = 600 * SECOND
A_DAY = 86_400 * SECOND
CELLS = A_DAY // CELL
GROUP = 500
"""Rooms identified together: 100 MB of cells."""
LEAD = (1200, 3600)
"""The least and most [s] that a room is looked after ahead."""
DIRTY = 100.0
"""Outdoor particles [µg/m³] for which a room's lead time is worked out."""
LIMIT = 35.0
QUANTITIES = ("pm25", "pm10", "co2")

Progress = Callable[[int, int], None]


class NothingToLearn(Problem):
    """There isn't enough to identify a room from."""


class Reader(Protocol):
    """The history, as far as it is needed here."""

    def read(self, start: int, end: int, nodes: frozenset[str] | None = None) -> Readings:
        """Samples with time in [start, end) ns, each once."""


@dataclass(frozen=True, slots=True)
class Place:
    """A room that can be identified: its site, itself, its nodes and those outdoors."""

    site: Site
    room: Room
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    actuators: tuple[Actuator, ...]


def places(network: Network, now: int) -> list[Place]:
    """Rooms with a node where there is one outdoors too."""
    at, found = Rooms.at(network, now), []
    for site in network.sites.values():
        outside = tuple(node.id for node in at.nodes.get((site.id, ""), ()))
        for room in site.rooms.values() if outside else ():
            key = (site.id, room.id)
            if inside := tuple(node.id for node in at.nodes.get(key, ())):
                found.append(Place(site, room, inside, outside, at.actuators.get(key, ())))
    return found


class Cells:
    """Sums of samples by node and ten minutes, filled day by day."""

    def __init__(self, start: int, days: int) -> None:
        self._start, self._size = start, days * CELLS
        self._sums: dict[tuple[str, str], tuple[Array, Array]] = {}

    def add(self, readings: Readings) -> None:
        """Take the good and suspect rows."""
        for quantity in QUANTITIES:
            if (column := readings.columns.get(quantity)) is None:
                continue
            used = np.isin(column.flag, (Flag.GOOD, Flag.SUSPECT)) & np.isfinite(column.value)
            used &= readings.time != UNTIMED
            for code, node in enumerate(readings.nodes):
                rows = np.flatnonzero(used & (readings.node == code))
                cell = (readings.time[rows] - self._start) // CELL
                inside = (cell >= 0) & (cell < self._size)
                self._add((node, quantity), cell[inside], column.value[rows[inside]])

    def _add(self, key: tuple[str, str], cell: Array, value: Array) -> None:
        total, count = self._sums.setdefault(key, (np.zeros(self._size), np.zeros(self._size)))
        total += np.bincount(cell, value, self._size)
        count += np.bincount(cell, minlength=self._size)

    def mean(self, nodes: Iterable[str], quantity: str) -> Array:
        """The mean of some nodes in every cell, NaN where there is none."""
        total, count = np.zeros(self._size), np.zeros(self._size)
        for node in nodes:
            more = self._sums.get((node, quantity))
            if more is not None:
                total, count = total + more[0], count + more[1]
        means: Array = np.divide(total, count, out=np.full(self._size, np.nan), where=count > 0)
        return means


def learn(
    history: Reader,
    network: Network,
    now: int,
    actions: Iterable[tuple[int, str, int]],
    days: int = DAYS,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """What the last `days` say of every room, as JSON objects; raises `NothingToLearn` where no room has a
    node inside and one outdoors. `actions` are (time [ns], actuator, level) as reported."""
    found = places(network, now)
    if not found:
        raise NothingToLearn(
            "no room has a node while its site has one outdoors", advice="place one outdoors"
        )
    start, levels = (now // A_DAY + 1) * A_DAY - days * A_DAY, _levels(actions)
    groups = [found[first : first + GROUP] for first in range(0, len(found), GROUP)]
    told: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        cells = Cells(start, days)
        nodes = frozenset(node for place in group for node in (*place.inside, *place.outside))
        for day in range(days):
            cells.add(history.read(start + day * A_DAY, start + (day + 1) * A_DAY, nodes))
            if progress:
                progress(number * days + day + 1, len(groups) * days)
        stream = _stream(cells, group, levels, start, days)
        told += _told(group, identify(stream, [place.room for place in group]), stream, start)
    return told


def _levels(actions: Iterable[tuple[int, str, int]]) -> Mapping[str, tuple[list[int], list[int]]]:
    found: dict[str, tuple[list[int], list[int]]] = {}
    for time, actuator, level in sorted(actions):
        times, levels = found.setdefault(actuator, ([], []))
        times.append(time)
        levels.append(level)
    return found


def _stream(
    cells: Cells,
    found: Sequence[Place],
    levels: Mapping[str, tuple[list[int], list[int]]],
    start: int,
    days: int,
) -> Stream:
    size = days * CELLS
    busy: dict[tuple[str, object], Array] = {}
    for place in found:
        key = (place.site.id, place.room.timetable)
        if key not in busy:
            busy[key] = _busy(place, start, size)
    minutes = start + np.arange(size * 10) * 60 * SECOND
    drives = [_drive(place, levels, minutes) for place in found]
    return Stream(
        step=CELL / SECOND / 3600,
        inside=np.stack([cells.mean(place.inside, place.room.dust) for place in found]),
        outside=np.stack([cells.mean(place.outside, place.room.dust) for place in found]),
        co2=np.stack([cells.mean(place.inside, "co2") for place in found]),
        busy=np.stack([busy[place.site.id, place.room.timetable] for place in found]),
        clean=np.stack([clean for clean, _ in drives]),
        flow=np.stack([flow for _, flow in drives]),
    )


def _busy(place: Place, start: int, size: int) -> Array:
    begin = datetime.fromtimestamp(start / SECOND, UTC) + timedelta(minutes=5)
    moments = (begin + timedelta(minutes=10 * cell) for cell in range(size))
    return np.array([place.site.occupied(place.room.id, moment) for moment in moments], float)


def _drive(
    place: Place, levels: Mapping[str, tuple[list[int], list[int]]], minutes: Array
) -> tuple[Array, Array]:
    """Nominal clean and outdoor air [1/h] of a room by cell; unknown before an actuator's first word."""
    clean, flow = np.zeros(minutes.size), np.zeros(minutes.size)
    for actuator in place.actuators:
        times, told = levels.get(actuator.id, ([], []))
        at = np.searchsorted(np.array(times, np.int64), minutes, side="right")
        level = np.array([-1, *told])[at]
        known = (level >= 0) & (level < len(actuator.levels))
        cadr, air = (np.array([getattr(one, name) for one in actuator.levels]) for name in ("cadr", "flow"))
        clean += np.where(known, cadr[np.where(known, level, 0)], np.nan)
        flow += np.where(known, air[np.where(known, level, 0)], np.nan)
    volume = place.room.volume
    return clean.reshape(-1, 10).mean(axis=1) / volume, flow.reshape(-1, 10).mean(axis=1) / volume


def _told(found: Sequence[Place], known: Identified, stream: Stream, start: int) -> Iterable[dict[str, Any]]:
    share, error = efficacy(stream, known.dust)
    dirty = clogged(share, error)
    for number, place in enumerate(found):
        dust, co2 = known.dust.row(number), known.co2.row(number)
        balance = known.balance(number, place.room)
        aired = bool(known.co2.used[number] >= LEAST)
        yield {
            "site": place.site.id,
            "room": place.room.id,
            "from": _day(start),
            "days": round(stream.inside.shape[1] / CELLS),
            "windows": int(known.dust.used[number]),
            "enough": bool(known.dust.used[number] >= LEAST),
            "nature": _pairs(nature(dust, co2, aired, place.room.ach)),
            "terms": _pairs(dust),
            "air": _pairs(co2) if aired else None,
            "balance": {name: round(value, 4) for name, value in asdict(balance).items()},
            "lead_s": lead(place, balance),
            "efficacy": _weeks(share[number], error[number], start),
            "clogged": bool(dirty[number]),
        }


def _pairs(terms: Mapping[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {name: [round(value, 4), round(error, 4)] for name, (value, error) in terms.items()}


def _weeks(share: Array, error: Array, start: int) -> list[dict[str, Any]]:
    known = [number for number in range(share.size) if np.isfinite(share[number])]
    return [
        {
            "week": _day(start + 7 * number * A_DAY),
            "share": round(float(share[number]), 3),
            "error": round(float(error[number]), 3),
        }
        for number in known
    ]


def _day(time: int) -> str:
    return datetime.fromtimestamp(time / SECOND, UTC).date().isoformat()


def lead(place: Place, balance: Balance) -> int:
    """How far ahead [s] a room must be looked after: the time that all its purifiers need on a dirty day."""
    clean = sum(max(level.cadr for level in one.levels) for one in place.actuators)
    loss = balance.busy_loss + balance.delivered * clean / place.room.volume
    gain = balance.busy_inward * DIRTY + balance.source
    limit = place.room.limits.get(place.room.dust, LIMIT)
    hours = lead_hours(balance.inward * DIRTY / balance.loss, limit, gain, loss)
    least, most = LEAD
    steps = min(hours * 3600, most) // 600 + 1
    return int(min(max(steps * 600, least), most))


def share_left(told: Mapping[str, Any]) -> int:
    """How much of its best week's clean air a room's purifiers deliver now [%]."""
    weeks = [week["share"] for week in told["efficacy"]]
    return round(100 * weeks[-1] / max(weeks)) if weeks and max(weeks) > 0 else 0
