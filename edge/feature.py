"""What a forecast is made from: one definition for training and for service.

A room's past is held as sums and counts of samples by minute. Sums are whole multiples of 1/1024 of the unit,
so that their addition is exact and no result depends on the order in which samples came.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from edge.readings import SECOND, Array

MINUTE = 60 * SECOND
DEPTH = 64
"""Minutes of the past that a forecast sees."""

_GRAIN = 1024.0
_QUARTER = 15
_DAY = 1440

# Means over minutes before the newest sample's, [first, past); the edges suit a 5-minute pace too.
_BINS = (
    ("last", 0, 2),
    ("lag2", 2, 4),
    ("lag4", 4, 7),
    ("lag7", 7, 12),
    ("lag12", 12, 17),
    ("lag17", 17, 22),
    ("lag22", 22, 32),
    ("lag32", 32, 47),
    ("lag47", 47, 64),
    ("mean30", 0, 31),
    ("mean60", 0, 64),
)
_OUTDOOR = (("outdoor", 0, 15), ("outdoor30", 30, 45))
_TRENDS = (("trend15", 16), ("trend30", 31))

FEATURES = (
    *(name for name, _, _ in _BINS),
    *(name for name, _ in _TRENDS),
    *(name for name, _, _ in _OUTDOOR),
    *("sin1", "cos1", "sin2", "cos2", "cleaning", "cleaned"),
)
"""Names of the feature columns: `last` is the level [unit], all other means are differences from it; trends
[unit/h]; sine and cosine of the local day, once and twice; `cleaning` [1/h] and `cleaning` times `last`."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The past of n rooms, newest minute first: sums and counts of samples (n × DEPTH), the same outdoors at
    the room's site, the newest minute's place in the local `day` [min], `cleaning` [1/h] (NaN: unknown)."""

    total: Array
    count: Array
    outdoor_total: Array
    outdoor_count: Array
    day: Array
    cleaning: Array


def grains(value: Array) -> Array:
    """Values rounded to the 1/1024 of their unit in which sums are exact."""
    return np.round(value * _GRAIN) / _GRAIN


def features(windows: Windows) -> Array:
    """The feature matrix (n × len(FEATURES)), NaN where an input is missing."""
    means = _means(windows.total, windows.count, _BIN_WEIGHTS)
    last = means[:, :1]
    outdoor = _means(windows.outdoor_total, windows.outdoor_count, _OUTDOOR_WEIGHTS)
    angle = windows.day * (2 * np.pi / _DAY)
    cycle = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)], axis=1)
    cleaning = windows.cleaning[:, None]
    trends = _trends(windows)
    return np.hstack([last, means[:, 1:] - last, trends, outdoor - last, cycle, cleaning, cleaning * last])


def day_minute(zone: ZoneInfo, minute: Array) -> Array:
    """The place in the local day [min] of UTC minutes since 1970; offsets hold for a quarter of an hour."""
    quarter, place = np.unique(minute // _QUARTER, return_inverse=True)
    offset = np.array([_offset(zone, int(q) * _QUARTER * 60) for q in quarter], np.int64)
    return (minute + offset[place]) % _DAY


def _offset(zone: ZoneInfo, second: int) -> int:
    shift = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
    return int(shift.total_seconds()) // 60 if shift is not None else 0


def _means(total: Array, count: Array, weights: Array) -> Array:
    samples = count @ weights
    means: Array = np.divide(total @ weights, samples, out=np.full(samples.shape, np.nan), where=samples > 0)
    return means


def _trends(windows: Windows) -> Array:
    n = windows.count @ _TREND_WEIGHTS
    s = windows.total @ _TREND_WEIGHTS
    n0, n1, n2, s0, s1 = n[:, 0::3], n[:, 1::3], n[:, 2::3], s[:, 0::3], s[:, 1::3]
    spread = n0 * n2 - n1 * n1
    # Minutes count backwards, so a rising room has a negative slope here.
    rise = 60.0 * (n1 * s0 - n0 * s1)
    slope: Array = np.divide(rise, spread, out=np.full(n0.shape, np.nan), where=spread > 0)
    return slope


def _within(first: int, past: int) -> Array:
    lag = np.arange(DEPTH)
    return ((lag >= first) & (lag < past)).astype(float)


_LAG = np.arange(DEPTH, dtype=float)
_BIN_WEIGHTS = np.stack([_within(first, past) for _, first, past in _BINS], axis=1)
_OUTDOOR_WEIGHTS = np.stack([_within(first, past) for _, first, past in _OUTDOOR], axis=1)
_TREND_WEIGHTS = np.stack([_within(0, past) * _LAG**p for _, past in _TRENDS for p in range(3)], axis=1)
