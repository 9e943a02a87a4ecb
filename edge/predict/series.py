"""A place's past as cells by the minute or the hour: what training, evaluation and history see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from edge.network import Actuator, Network
from edge.predict.feature import calendar, local
from edge.predict.model import Column
from edge.readings import SECOND, UNTIMED, Array, Flag, Readings

GRAIN = 1024.0
"""Samples are summed as whole multiples of 1/1024, so that no mean depends on their order."""

NEIGHBOURS = "neighbours"
"""The column of what others of the same table measure at that time."""

OUTDOOR = "outdoor"
"""The column of the same quantity outdoors, at a room's site."""

CLEANING = "cleaning"
"""The column of how fast a room's actuators clean its air [1/h]."""

HOUR_S, MINUTE_S = 3600, 60


def grains(value: Array) -> Array:
    """Values rounded to the 1/1024 of their unit in which sums are exact."""
    return np.round(value * GRAIN) / GRAIN


@dataclass(frozen=True)
class Series:
    """A place's columns over cells of `unit_s` [s] from `start` [units since 1970]: means, NaN where none."""

    name: str
    tz: str
    unit_s: int
    start: int
    columns: Mapping[str, Array]
    holidays: frozenset[date] = frozenset()

    @property
    def size(self) -> int:
        """How many cells."""
        return next(iter(self.columns.values())).size

    def places(self, quantity: str) -> Array:
        """The cells where the quantity is known, counted from the start."""
        return np.flatnonzero(np.isfinite(self.columns[quantity]))

    @cached_property
    def times(self) -> tuple[Array, Array, Array]:
        """The minute of the local day, the kind of day and the place in the year of each cell."""
        second = (self.start + np.arange(self.size, dtype=np.int64)) * self.unit_s
        return calendar(local(ZoneInfo(self.tz), second), self.holidays)


def cells(value: Array, bits: int) -> tuple[Array, Array]:
    """Whole multiples of 2**-bits, 0 where missing, and which are known."""
    known = np.isfinite(value)
    return np.round(np.where(known, value, 0.0) * 2.0**bits).astype(np.int64), known


class Looking:
    """The view of a series from any of its cells: running sums, so that a window is a difference."""

    def __init__(self, series: Series, columns: Sequence[Column]) -> None:
        self.series = series
        none = np.full(series.size, np.nan)
        self._sums = [_running(*cells(series.columns.get(c.name, none), c.bits)) for c in columns]

    def at(self, place: Array) -> "Past":
        """The view from these cells."""
        return Past(self, place)

    def window(self, place: Array, column: int, first: int, past: int) -> tuple[Array, Array]:
        """Sums and counts of a column before each place."""
        newest, oldest = (np.clip(place + 1 - back, 0, self.series.size) for back in (first, past))
        total, count = self._sums[column]
        return total[newest] - total[oldest], count[newest] - count[oldest]


def _running(value: Array, known: Array) -> tuple[Array, Array]:
    total, count = (np.concatenate([[0], np.cumsum(part)]) for part in (value, known.astype(np.int64)))
    return total, count


@dataclass(frozen=True, slots=True)
class Past:
    """What is known at some cells of a series."""

    looking: Looking
    place: Array

    def window(self, column: int, first: int, past: int) -> tuple[Array, Array]:
        """Sum and number of a column's cells before each place."""
        return self.looking.window(self.place, column, first, past)

    def clock(self) -> tuple[Array, Array, Array]:
        """Minute of the local day, kind of day, place in the year."""
        minute, day, season = self.looking.series.times
        return minute[self.place], day[self.place], season[self.place]


def gridded(time: Array, value: Array, unit_s: int, start: int, size: int) -> Array:
    """Means by cell of samples at `time` [ns], NaN where there is none."""
    known = np.isfinite(value)
    place = (time // (unit_s * SECOND) - start)[known]
    inside = (place >= 0) & (place < size)
    total = np.bincount(place[inside], grains(value[known][inside]), size)
    count = np.bincount(place[inside], minlength=size)
    found: Array = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
    return found


@dataclass
class _Sums:
    total: Array
    count: Array


class History:
    """All nodes' minutes over [start, end) ns, filled block by block, so that months of history never
    stand in memory as samples. The samples are those that the service would take."""

    def __init__(
        self, start: int, end: int, quantity: str = "pm25", others: Sequence[str] = ("co2", "temp", "rh")
    ) -> None:
        self._start = start // SECOND // MINUTE_S
        self._size = max(end // SECOND // MINUTE_S - self._start + 1, 1)
        self.quantity, self._wanted = quantity, (quantity, *others)
        self._sums: dict[tuple[str, str], _Sums] = {}
        self._levels: dict[str, list[tuple[int, int]]] = {}

    def add(self, readings: Readings) -> None:
        """Take the good and suspect rows of a block; each sample once."""
        for name in self._wanted:
            column = readings.columns.get(name)
            if column is not None:
                self._add(readings, name, column.value, column.flag)

    def _add(self, readings: Readings, name: str, value: Array, flag: Array) -> None:
        minute = readings.time // SECOND // MINUTE_S - self._start
        used = np.isin(flag, (Flag.GOOD, Flag.SUSPECT)) & np.isfinite(value)
        used &= (readings.time != UNTIMED) & (minute >= 0) & (minute < self._size)
        for code in np.unique(readings.node[used]):
            rows = used & (readings.node == code)
            held = self._sums.setdefault(
                (readings.nodes[code], name), _Sums(np.zeros(self._size), np.zeros(self._size))
            )
            np.add.at(held.total, minute[rows], grains(value[rows]))
            np.add.at(held.count, minute[rows], 1.0)

    def act(self, actuator: str, time: int, level: int) -> None:
        """The actuator reported this level at `time` [ns]; it holds until its next report."""
        self._levels.setdefault(actuator, []).append((time // SECOND // MINUTE_S, level))

    def series(self, network: Network, now: int) -> tuple[Series, ...]:
        """The series of all nodes that stand in a room at `now` [ns]; outdoors is their site's outdoor node
        with the most samples."""
        names = sorted({node for node, name in self._sums if name == self.quantity})
        places = {name: place for name in names if (place := network.placed(name, now))}
        by_samples = sorted(places, key=lambda name: float(self._sums[name, self.quantity].count.sum()))
        outdoors = {places[name].site: name for name in by_samples if not places[name].room}
        return tuple(
            self._series(network, name, place.site, place.room, outdoors.get(place.site))
            for name, place in places.items()
            if place.room
        )

    def _series(self, network: Network, name: str, site: str, room: str, outdoor: str | None) -> Series:
        columns = {q: mean for q in self._wanted if (mean := self._mean(name, q)) is not None}
        if outdoor and (mean := self._mean(outdoor, self.quantity)) is not None:
            columns[OUTDOOR] = mean
        cleaning = self._cleaning(network, site, room)
        if cleaning is not None:
            columns[CLEANING] = cleaning
        where = network.sites[site]
        return Series(name, where.tz, MINUTE_S, self._start, columns, where.holidays)

    def _mean(self, node: str, quantity: str) -> Array | None:
        held = self._sums.get((node, quantity))
        if held is None:
            return None
        found: Array = np.divide(
            held.total, held.count, out=np.full(self._size, np.nan), where=held.count > 0
        )
        return found

    def _cleaning(self, network: Network, site: str, room: str) -> Array | None:
        volume = network.sites[site].rooms[room].volume
        rates = [self._cadr(actuator) / volume for actuator in network.actuators_in(site, room)]
        return np.sum(rates, axis=0) if rates else None

    def _cadr(self, actuator: Actuator) -> Array:
        reports = sorted(self._levels.get(actuator.id, ()))
        minutes = np.array([minute for minute, _ in reports], np.int64)
        cadr = [actuator.levels[min(level, len(actuator.levels) - 1)].cadr for _, level in reports]
        place = np.searchsorted(minutes, self._start + np.arange(self._size), side="right")
        return np.array([np.nan, *cadr])[place]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Rows in order of `time` [units since 1970], of places numbered by `who`: inputs (n × terms), newest
    level `last`, the truth, the highest value until each horizon and the value a day before it (n × h, NaN
    where unknown), and whether the time until there is whole (n × h)."""

    time: Array
    who: Array
    inputs: Array
    last: Array
    truth: Array
    peak: Array
    before: Array
    whole: Array

    def take(self, rows: Array) -> "Lessons":
        """Some of the rows."""
        return Lessons(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What became true after each cell of a series: at the horizons, at most until there, a day before them,
    and whether the time until there is whole."""

    truth: Array
    peak: Array
    before: Array
    whole: Array


def ahead(value: Array, steps: Sequence[int], pace: int, day: int) -> Ahead:
    """Truths of all cells of a column (n × horizons); `pace` is the usual distance of its known cells, `day`
    the number of cells of a day."""
    known = np.isfinite(value)
    count = np.concatenate([[0], np.cumsum(known)])
    place = np.arange(value.size)
    truth, peak, before, whole = [], [], [], []
    for step in steps:
        past = np.minimum(place + step, value.size - 1)
        reached = place + step < value.size
        truth.append(np.where(reached, value[past], np.nan))
        peak.append(_highest(value, step))
        then = place + step - day
        before.append(np.where(then >= 0, value[np.maximum(then, 0)], np.nan))
        needed = step // pace - step // pace // 20
        whole.append(reached & known[past] & (count[past + 1] - count[place + 1] >= needed))
    return Ahead(*(np.stack(part, axis=1) for part in (truth, peak, before, whole)))


def _highest(value: Array, step: int) -> Array:
    """The highest of the next `step` cells, −inf where none is known."""
    low = np.where(np.isfinite(value), value, -np.inf)
    padded = np.concatenate([low[1:], np.full(step, -np.inf)])
    found: Array = np.lib.stride_tricks.sliding_window_view(padded, step).max(axis=1)[: value.size]
    return found


def pace_of(places: Sequence[Array]) -> int:
    """The usual distance of known cells."""
    gaps = np.concatenate([np.diff(place) for place in places]) if places else np.zeros(0)
    return max(int(np.median(gaps)), 1) if gaps.size else 1
