"""Drift: whether a sensor still says what it used to beside its proxies.

MOMA (Miskell et al. 2018, doi:10.1021/acssensors.8b00074): a proxy that is not the truth at the sensor's site
has its distribution over some days, and a sensor in order has it too. What a proxy says is brought to the
site first, by how the two went together while the sensor was known to be right: sites differ more than
sensors do. What many sensors see at once is the air, not a sensor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.readings import Array

HOUR = 3_600_000_000_000
DAY_H = 24


@dataclass(frozen=True, slots=True)
class Rule:
    """When a day is flagged and when that is drift: windows of `window_h` [h] and `counts`, the share by
    which numbers of hours may differ; `p` of a Kolmogorov–Smirnov test, `low`..`high` of the gain, `offset`
    [unit] either side of 0; so many `days` on end; the last `fit_days` of them make the proposal.
    `usual_days` is how long a sensor and its proxy are watched first, at least `settled_days` of hours of
    both."""

    window_h: int = 72
    counts: float = 0.25
    p: float = 0.05
    low: float = 0.7
    high: float = 1.3
    offset: float = 5.0
    days: int = 5
    fit_days: int = 30
    usual_days: int = 60
    settled_days: int = 14


RULE = Rule()
FARTHEST = 3.0
"""A gain beyond this, or below its inverse, is a broken sensor or another kind of air: no recalibration."""
MANY = 0.5
"""Where more than this share of the other sensors is flagged the same way that day, it is the air."""
NEAR = 3
"""Sensors of one place whose median stands for its air."""


@dataclass(frozen=True, slots=True)
class Line:
    """gain·x + offset."""

    gain: float
    offset: float

    def __call__(self, cells: Array) -> Array:
        """The line at these cells."""
        value: Array = self.gain * cells + self.offset
        return value


@dataclass(frozen=True, slots=True)
class Day:
    """What 72 hours that end with a day say: number of days since 1970, hours of sensor and proxy, gain and
    offset [unit] that would give the sensor the proxy's distribution, the probability `p` of a difference
    as large by chance, and whether that is flagged (None: nothing can be said)."""

    day: int
    sensor: int
    proxy: int
    gain: float = float("nan")
    offset: float = float("nan")
    p: float = float("nan")
    flagged: bool | None = None

    @property
    def up(self) -> bool:
        """Whether the sensor says too little."""
        return self.gain > 1.0 or (self.gain == 1.0 and self.offset > 0.0)


@dataclass(frozen=True)
class Course:
    """A sensor's corrected hourly means and those of its proxy [unit], at consecutive `hours` since 1970;
    from hour `begin` on it has been the same sensor in the same place with the same calibration."""

    node: str
    serial: str
    quantity: str
    kind: str
    proxies: tuple[str, ...]
    hours: Array
    sensor: Array
    proxy: Array
    begin: int = 0


@dataclass(frozen=True)
class Watched:
    """A course, what is usual there (None: not known yet), its days, and on which of them (since 1970) the
    drift began in which it stands (None: it doesn't)."""

    course: Course
    usual: Line | None
    days: tuple[Day, ...] = ()
    began: int | None = None


def same_distribution(one: Array, other: Array) -> float:
    """The probability that samples of one distribution differ so much (Kolmogorov–Smirnov, asymptotic)."""
    one, other = np.sort(one), np.sort(other)
    every = np.concatenate((one, other))
    parts = (np.searchsorted(cells, every, "right") / cells.size for cells in (one, other))
    distance = float(np.abs(np.subtract(*parts)).max())
    root = np.sqrt(one.size * other.size / (one.size + other.size))
    size = (root + 0.12 + 0.11 / root) * distance
    if size < 0.2:
        return 1.0
    k = np.arange(1, 101)
    return float(np.clip(2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * k**2 * size**2)), 0.0, 1.0))


def likened(sensor: Array, proxy: Array) -> Line:
    """The line that gives the sensor the proxy's mean and variance (both without gaps)."""
    spread = float(sensor.std())
    gain = float(proxy.std()) / spread if spread > 0 else float("nan")
    return Line(gain, float(proxy.mean() - gain * sensor.mean()))


def usual(course: Course, rule: Rule = RULE) -> Line | None:
    """How the proxy comes to the sensor's site, learnt over the first days; None: too few hours of both, or
    they have nothing to do with each other."""
    first = (course.hours >= course.begin) & (course.hours < course.begin + rule.usual_days * DAY_H)
    both = first & np.isfinite(course.sensor) & np.isfinite(course.proxy)
    if both.sum() < rule.settled_days * DAY_H:
        return None
    found = likened(course.proxy[both], course.sensor[both])
    return found if 1 / FARTHEST < found.gain < FARTHEST else None


def watched(course: Course, rule: Rule = RULE) -> Watched:
    """The course judged day by day, from the first day behind those on which what is usual was learnt."""
    line = usual(course, rule)
    if line is None:
        return Watched(course, None)
    proxy = np.maximum(line(course.proxy), 0.0)
    settled = course.begin + rule.settled_days * DAY_H
    first = max(int(course.hours[0]) + rule.window_h, settled)
    ends = range(-(-first // DAY_H) * DAY_H, int(course.hours[-1]) + 2, DAY_H)
    days = tuple(_day(course, proxy, end, rule) for end in ends)
    return Watched(course, line, days, began(days, rule))


def _day(course: Course, proxy: Array, end: int, rule: Rule) -> Day:
    """The window that ends before hour `end`."""
    rows = slice(*np.searchsorted(course.hours, (max(end - rule.window_h, course.begin), end)))
    own, others = (cells[rows][np.isfinite(cells[rows])] for cells in (course.sensor, proxy))
    day, few = Day(end // DAY_H - 1, own.size, others.size), min(own.size, others.size)
    if few < (1 - rule.counts) * max(own.size, others.size, rule.window_h / 2):
        return day
    line, p = likened(own, others), same_distribution(own, others)
    strange = not rule.low <= line.gain <= rule.high or abs(line.offset) > rule.offset
    return Day(day.day, own.size, others.size, line.gain, line.offset, p, p <= rule.p and strange)


def judged(courses: Sequence[Course], rule: Rule = RULE) -> list[Watched]:
    """All courses of one quantity: days on which most others are flagged the same way count for none."""
    found = [watched(course, rule) for course in courses]
    flags = [{(day.day, day.up) for day in one.days if day.flagged} for one in found]
    said = [{day.day for day in one.days if day.flagged is not None} for one in found]
    result = []
    for one in found:
        others = [place for place, other in enumerate(found) if other.course.node != one.course.node]
        days = tuple(_own(day, others, flags, said) for day in one.days)
        result.append(Watched(one.course, one.usual, days, began(days, rule)))
    return result


def _own(
    day: Day, others: Sequence[int], flags: Sequence[set[tuple[int, bool]]], said: Sequence[set[int]]
) -> Day:
    heard = [other for other in others if day.day in said[other]]
    alike = sum((day.day, day.up) in flags[other] for other in heard)
    if not day.flagged or len(heard) < 2 or alike <= MANY * len(heard):
        return day
    return Day(day.day, day.sensor, day.proxy, day.gain, day.offset, day.p, False)


def began(days: Sequence[Day], rule: Rule = RULE) -> int | None:
    """When the drift began in which the days end: so many flagged days on end begin one, as many unflagged
    ones end it; days that say nothing count for neither."""
    start: int | None = None
    flagged: list[int] = []
    quiet = 0
    for day in (day for day in days if day.flagged is not None):
        flagged, quiet = ([*flagged, day.day], 0) if day.flagged else ([], quiet + 1)
        if quiet >= rule.days:
            start = None
        if start is None and len(flagged) >= rule.days:
            start = flagged[0]
    return start


def median_of(series: Mapping[str, Array], least: int = 1) -> Array:
    """The median of some proxies hour by hour; NaN where fewer than `least` speak."""
    table = np.sort(np.stack(list(series.values())), axis=0)  # missing ones come last
    spoke, column = np.isfinite(table).sum(axis=0), np.arange(table.shape[1])
    middle = (table[np.maximum(spoke - 1, 0) // 2, column] + table[spoke // 2 % len(table), column]) / 2
    return np.where(spoke >= max(least, 1), middle, np.nan)
