"""The spans of time that means are made of: minutes, a site's local hours and its local days."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from edge.readings import SECOND, Array

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 24 * 3600 * SECOND
STEP = 15 * MINUTE
"""Every zone's offset is whole quarters of an hour, and changes at one."""


@dataclass(frozen=True, slots=True)
class Span:
    """A kind of span, by the measurement that holds its means.

    `width` [ns]: of most of them (a local day may have 23 or 25 h). Its means are made `quiet` [s] after the
    last news, `longest` [s] after the first; as many as begin within `reach` [ns] are made together.
    """

    measurement: str
    width: int
    quiet: float
    longest: float
    reach: int

    def starts(self, zone: str, time: Array) -> Array:
        """The start [ns UTC] of the span in which each time [ns UTC] lies."""
        local = time if self.width == MINUTE else time + offsets(zone, time)
        if self.width == DAY:
            return _midnights(zone, local // DAY)
        start: Array = local // self.width * self.width - (local - time)
        return start

    def end(self, zone: str, start: int) -> int:
        """The end [ns UTC] of the span that begins at `start`."""
        if self.width != DAY:
            return start + self.width
        # Noon of a day of 23 or of 25 hours is that day still.
        noon = start + DAY // 2
        return midnight(zone, (noon + offset(zone, noon // STEP)) // DAY + 1)


SPANS: Mapping[str, Span] = {
    span.measurement: span
    for span in (
        Span("air_1m", MINUTE, 2.0, 10.0, HOUR),
        Span("air_1h", HOUR, 5.0, 60.0, DAY),
        Span("air_1d", DAY, 30.0, 600.0, HOUR),
    )
}
"""Every measurement of means; short spans first."""


def offsets(zone: str, time: Array) -> Array:
    """How far [ns] local time is ahead of UTC at each time [ns UTC]."""
    quarters, place = np.unique(time // STEP, return_inverse=True)
    found: Array = np.array([offset(zone, quarter) for quarter in quarters.tolist()], np.int64)[place]
    return found


def _midnights(zone: str, days: Array) -> Array:
    known, place = np.unique(days, return_inverse=True)
    begins: Array = np.array([midnight(zone, day) for day in known.tolist()], np.int64)[place]
    return begins


@lru_cache(maxsize=65_536)
def offset(zone: str, quarter: int) -> int:
    """How far [ns] local time is ahead of UTC in that quarter of an hour since 1970."""
    shift = datetime.fromtimestamp(quarter * STEP // SECOND, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    return int((shift or timedelta()).total_seconds()) * SECOND


@lru_cache(maxsize=16_384)
def midnight(zone: str, day: int) -> int:
    """The first instant [ns UTC] of a local day (since 1970)."""
    first = date(1970, 1, 1) + timedelta(days=day)
    return int(datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).timestamp()) * SECOND
