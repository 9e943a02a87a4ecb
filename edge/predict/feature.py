"""What a forecast is made from: one definition, in integers, for training, gateway and node.

A column is a row of cells, one a unit of time, each a whole multiple of 2**-bits of its unit or missing. A
view says sums and counts of windows of cells before now, of n places at once.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from edge.predict.model import FINE, Column, Kind, Term
from edge.readings import Array

MISSING = -(1 << 40)
"""Stands for an input that isn't there."""

QUARTER_S = 900
DAY_MIN = 1440
WORKDAY, SATURDAY, REST = range(3)


class View(Protocol):
    """The past of n places."""

    def window(self, column: int, first: int, past: int) -> tuple[Array, Array]:
        """Sum and number (n) of a column's cells in units before now, [first, past)."""

    def clock(self) -> tuple[Array, Array, Array]:
        """The minute of the local day, what day it is (WORKDAY, SATURDAY, REST), and the place in the year in
        1/1440 of it, each (n)."""


def inputs(columns: Sequence[Column], terms: Sequence[Term], now: int, unit_s: int, view: View) -> Array:
    """The terms' values as integers (n × terms), MISSING where an input is."""
    seen = _Seen(columns, now, 86400 // unit_s, view)
    found = [_SAYS[Kind(term.kind)](seen, term) for term in terms]
    return np.stack(found, axis=1) if found else np.zeros((view.clock()[0].size, 0), np.int64)


def level(columns: Sequence[Column], now: int, view: View) -> Array:
    """The newest value of the target (n), in 2**-(bits + 4) of its unit; MISSING where unknown."""
    return _Seen(columns, now, 1, view).mean(0, 0, now)


class _Seen:
    """Means of windows, in 2**-(bits + 4), each worked out once."""

    def __init__(self, columns: Sequence[Column], now: int, day: int, view: View) -> None:
        self.columns, self.now, self.day, self.view = columns, now, day, view
        self._means: dict[tuple[int, int, int], Array] = {}

    def mean(self, column: int, first: int, past: int) -> Array:
        key = column, first, past
        if key not in self._means:
            self._means[key] = _divided(*self.view.window(*key))
        return self._means[key]

    def newest(self, column: int) -> Array:
        return self.mean(column, 0, self.now)


def _divided(total: Array, count: Array) -> Array:
    known = count > 0
    return np.where(known, (total << FINE) // np.where(known, count, 1), MISSING)


def _less(one: Array, other: Array) -> Array:
    return np.where((one == MISSING) | (other == MISSING), MISSING, one - other)


def _gap(seen: _Seen, term: Term) -> Array:
    mean = seen.mean(term.column, term.first, term.past)
    finer = seen.columns[0].bits - seen.columns[term.column].bits
    alike = mean << finer if finer >= 0 else mean >> -finer
    return _less(np.where(mean == MISSING, MISSING, alike), seen.newest(0))


def _daily(seen: _Seen, term: Term) -> Array:
    windows = [
        seen.view.window(term.column, day * seen.day - term.first, day * seen.day - term.first + 1)
        for day in range(1, term.past + 1)
    ]
    total, count = (np.sum(part, axis=0) for part in zip(*windows, strict=True))
    return _less(_divided(total, count), seen.newest(term.column))


def _clock(seen: _Seen, term: Term) -> Array:
    said: Array = CLOCKS[term.first](*(part.astype(np.int64) for part in seen.view.clock()))
    return said


def _times(seen: _Seen, term: Term) -> Array:
    mean, last = seen.mean(term.column, term.first, term.past), seen.newest(0)
    unknown = (mean == MISSING) | (last == MISSING)
    return np.where(
        unknown, MISSING, (mean * np.where(unknown, 0, last)) >> (seen.columns[term.column].bits + FINE)
    )


_SAYS = {
    Kind.LEVEL: lambda seen, term: seen.mean(term.column, term.first, term.past),
    Kind.DELTA: lambda seen, term: _less(
        seen.mean(term.column, term.first, term.past), seen.newest(term.column)
    ),
    Kind.GAP: _gap,
    Kind.DAILY: _daily,
    Kind.CLOCK: _clock,
    Kind.TIMES: _times,
}


def wave(minute: Array) -> Array:
    """2048 · sin(2π minute / 1440) by Bhaskara's rational form, in integers."""
    half = minute % (DAY_MIN // 2)
    arch = half * (DAY_MIN // 2 - half)
    height = 8192 * arch // (648000 - arch)
    found: Array = np.where(minute % DAY_MIN < DAY_MIN // 2, height, -height)
    return found


CLOCKS = (
    lambda minute, day, season: wave(minute),
    lambda minute, day, season: wave(minute + 360),
    lambda minute, day, season: wave(2 * minute),
    lambda minute, day, season: wave(2 * minute + 360),
    lambda minute, day, season: (day == SATURDAY) * 2048,
    lambda minute, day, season: (day == REST) * 2048,
    lambda minute, day, season: wave(season),
    lambda minute, day, season: wave(season + 360),
)
"""What a CLOCK term says, by its `first`: the day's waves, once and twice, free days, the year's wave."""

DAILY_CLOCKS = 6
"""The first so many know the day; the others the year."""

YEAR_S = 31_556_952


def local(zone: ZoneInfo, second: Array) -> Array:
    """Local seconds since 1970 of UTC seconds; offsets hold for a quarter of an hour."""
    quarter, place = np.unique(second // QUARTER_S, return_inverse=True)
    offset = np.array([_offset(zone, int(q) * QUARTER_S) for q in quarter], np.int64)
    return second + offset[place] if second.size else second


def calendar(
    local_second: Array, holidays: Mapping[date, object] | frozenset[date]
) -> tuple[Array, Array, Array]:
    """Minute of the day, kind of day and place in the year, of local seconds; a Sunday and a holiday are
    REST."""
    day, place = np.unique(local_second // 86400, return_inverse=True)
    free = np.array([date.fromordinal(_EPOCH + int(one)) in holidays for one in day], bool)
    weekday = (day + 3) % 7
    kind = np.where(free | (weekday == 6), REST, np.where(weekday == 5, SATURDAY, WORKDAY))
    season = local_second % YEAR_S * DAY_MIN // YEAR_S
    return local_second % 86400 // 60, kind[place] if place.size else place, season


def _offset(zone: ZoneInfo, second: int) -> int:
    shift = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
    return int(shift.total_seconds()) if shift is not None else 0


_EPOCH = date(1970, 1, 1).toordinal()
