"""What a model learns from: every room's past by the minute, seen through the service's own features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from edge.feature import DEPTH, FEATURES, MINUTE, Windows, day_minute, features, grains
from edge.network import Actuator, Network
from edge.readings import UNTIMED, Array, Flag, Readings

MOST_ROWS = 200_000
"""More rows than this are thinned evenly: they would teach no more and cost memory."""

_CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Samples by minute from `start` [min since 1970]: their sums and counts."""

    start: int
    total: Array
    count: Array

    @classmethod
    def of(cls, time: Array, value: Array) -> "Grid":
        """The grid of samples at `time` [ns] with finite values; at least one."""
        minute = time // MINUTE
        start = int(minute.min())
        size = int(minute.max()) - start + 1
        total = np.bincount(minute - start, grains(value), size)
        return cls(start, total, np.bincount(minute - start, minlength=size).astype(float))

    def cut(self, start: int, size: int) -> "Grid":
        """The part of `size` minutes from `start`, empty where this grid isn't."""
        place = np.arange(start, start + size) - self.start
        inside = (place >= 0) & (place < self.total.size)
        held = np.where(inside, place, 0)
        return Grid(start, np.where(inside, self.total[held], 0.0), np.where(inside, self.count[held], 0.0))


@dataclass(frozen=True, slots=True)
class Series:
    """One room's past: its grid, its site's outdoor one and `cleaning` [1/h] (NaN: unknown), minute for
    minute; `tz` is its site's time zone."""

    name: str
    tz: str
    own: Grid
    outdoor: Grid
    cleaning: Array

    @classmethod
    def of(
        cls, name: str, tz: str, own: Grid, outdoor: Grid | None = None, cleaning: Array | None = None
    ) -> "Series":
        """A series from what is known."""
        size = own.total.size
        nothing = Grid(own.start, np.zeros(size), np.zeros(size))
        aligned = outdoor.cut(own.start, size) if outdoor else nothing
        return cls(name, tz, own, aligned, np.full(size, np.nan) if cleaning is None else cleaning)

    def windows(self, place: Array) -> Windows:
        """What the service sees when its newest sample lies in these minutes (counted from the start)."""
        back = place[:, None] - np.arange(DEPTH)
        grids = (self.own.total, self.own.count, self.outdoor.total, self.outdoor.count)
        past = (np.where(back >= 0, column[np.maximum(back, 0)], 0.0) for column in grids)
        total, count, outdoor_total, outdoor_count = past
        day = day_minute(ZoneInfo(self.tz), self.own.start + place)
        return Windows(total, count, outdoor_total, outdoor_count, day, self.cleaning[place])


class Past:
    """All nodes' grids over [start, end) ns, filled block by block, so that months of history never stand in
    memory as samples. The samples are those that the service would take."""

    def __init__(self, start: int, end: int, quantity: str = "pm25") -> None:
        self._start = start // MINUTE
        self._size = max(end // MINUTE - self._start + 1, 1)
        self._quantity = quantity
        self._grids: dict[str, Grid] = {}
        self._levels: dict[str, list[tuple[int, int]]] = {}

    def add(self, readings: Readings) -> None:
        """Take the good and suspect rows of a block; each sample once."""
        column = readings.columns.get(self._quantity)
        if column is None:
            return
        minute = readings.time // MINUTE - self._start
        used = np.isin(column.flag, (Flag.GOOD, Flag.SUSPECT)) & np.isfinite(column.value)
        used &= (readings.time != UNTIMED) & (minute >= 0) & (minute < self._size)
        for code in np.unique(readings.node[used]):
            rows = used & (readings.node == code)
            held = self._grid(readings.nodes[code])
            np.add.at(held.total, minute[rows], grains(column.value[rows]))
            np.add.at(held.count, minute[rows], 1.0)

    def act(self, actuator: str, time: int, level: int) -> None:
        """The actuator reported this level at `time` [ns]; it holds until its next report."""
        self._levels.setdefault(actuator, []).append((time // MINUTE, level))

    def series(self, network: Network, now: int) -> tuple[Series, ...]:
        """The series of all nodes that stand in a room at `now` [ns]; outdoors is their site's outdoor node
        with the most samples."""
        places = {name: place for name in sorted(self._grids) if (place := network.placed(name, now))}
        by_samples = sorted(places, key=lambda name: float(self._grids[name].count.sum()))
        outdoors = {places[name].site: name for name in by_samples if not places[name].room}
        return tuple(
            Series.of(
                name,
                network.sites[place.site].tz,
                self._grids[name],
                self._grids.get(outdoors.get(place.site, "")),
                self._cleaning(network, place.site, place.room),
            )
            for name, place in places.items()
            if place.room
        )

    def _cleaning(self, network: Network, site: str, room: str) -> Array:
        volume = network.sites[site].rooms[room].volume
        rates = [self._cadr(actuator) / volume for actuator in network.actuators_in(site, room)]
        return np.sum(rates, axis=0) if rates else np.full(self._size, np.nan)

    def _cadr(self, actuator: Actuator) -> Array:
        reports = sorted(self._levels.get(actuator.id, ()))
        minutes = np.array([minute for minute, _ in reports], np.int64)
        cadr = [actuator.levels[min(level, len(actuator.levels) - 1)].cadr for _, level in reports]
        place = np.searchsorted(minutes, self._start + np.arange(self._size), side="right")
        return np.array([np.nan, *cadr])[place]

    def _grid(self, node: str) -> Grid:
        if node not in self._grids:
            self._grids[node] = Grid(self._start, np.zeros(self._size), np.zeros(self._size))
        return self._grids[node]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Rows in order of `minute` [since 1970]: features (n × p), `last` (n), and the truth at each horizon
    (n × h, NaN where unknown)."""

    minute: Array
    matrix: Array
    last: Array
    truth: Array


def lessons(past: Sequence[Series], horizons: Sequence[int], most: int = MOST_ROWS) -> Lessons:
    """Every minute with samples in every series, thinned evenly to about `most` rows."""
    found = sum(int(np.count_nonzero(one.own.count)) for one in past)
    stride = max(-(-found // most), 1)
    parts = [part for one in past for part in _lessons_of(one, horizons, stride)]
    if not parts:
        none = np.zeros((0, len(FEATURES)))
        return Lessons(np.zeros(0, np.int64), none, np.zeros(0), np.zeros((0, len(horizons))))
    minute, matrix, truth = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(minute, kind="stable")
    matrix = matrix[order]
    return Lessons(minute[order], matrix, matrix[:, FEATURES.index("last")], truth[order])


def _lessons_of(one: Series, horizons: Sequence[int], stride: int) -> Iterator[tuple[Array, Array, Array]]:
    places = np.flatnonzero(one.own.count)[::stride]
    for first in range(0, places.size, _CHUNK):
        place = places[first : first + _CHUNK]
        truth = np.stack([_later(one.own, place + horizon // 60) for horizon in horizons], axis=1)
        yield one.own.start + place, features(one.windows(place)), truth


def _later(grid: Grid, place: Array) -> Array:
    """The one-minute means at these places, NaN where there is none."""
    inside = place < grid.total.size
    held = np.where(inside, place, 0)
    count = np.where(inside, grid.count[held], 0.0)
    means: Array = np.divide(grid.total[held], count, out=np.full(place.size, np.nan), where=count > 0)
    return means
