"""United States: AQI with the PM2.5 breakpoints of 2024-05-06, from NowCast."""

from datetime import date
from functools import partial

import numpy as np

from edge.index.hours import Hours, windows
from edge.index.scheme import Band, Index, Table, band_of, in_force, truncated, worst
from edge.readings import Array

CATEGORIES = (
    Band("Good", "#00e400"),
    Band("Moderate", "#ffff00"),
    Band("Unhealthy for sensitive groups", "#ff7e00"),
    Band("Unhealthy", "#ff0000"),
    Band("Very unhealthy", "#8f3f97"),
    Band("Hazardous", "#7e0023"),
)

_STEP = {"pm25": 0.1, "pm10": 1.0}
_LOWER = ((0, 50), (51, 100), (101, 150), (151, 200), (201, 300))
TABLES = (
    Table(
        date(2024, 5, 6),
        ends={"pm25": (9.0, 35.4, 55.4, 125.4, 225.4, 325.4), "pm10": (54, 154, 254, 354, 424, 504, 604)},
        values={"pm25": (*_LOWER, (301, 500)), "pm10": (*_LOWER, (301, 400), (401, 500))},
        step=_STEP,
        bring=truncated,
    ),
)
"""US EPA, 89 FR 16202."""

LEAST_WEIGHT = 0.5


def table(day: date | None = None) -> Table:
    """The table of that day; the newest without one."""
    return TABLES[-1] if day is None else in_force(TABLES, day)


def nowcast(hourly: Array) -> Array:
    """NowCast [µg/m³] at each hour: the last twelve hourly means, each weighing w to the power of its age in
    hours, w = least/greatest of the twelve but at least ½; two of the last three have to be there."""
    last = windows(np.maximum(hourly, 0.0), 12)[:, ::-1]
    there = np.isfinite(last)
    low = np.where(there, last, np.inf).min(axis=1)
    high = np.where(there, last, -np.inf).max(axis=1)
    enough = there[:, :3].sum(axis=1) >= 2
    share = np.where(enough & (high > 0), low, 1.0) / np.where(enough & (high > 0), high, 1.0)
    weights = np.maximum(share, LEAST_WEIGHT)[:, None] ** np.arange(12) * there
    total = np.maximum(weights.sum(axis=1), np.finfo(float).tiny)
    mean: Array = np.where(enough, (weights * np.where(there, last, 0.0)).sum(axis=1) / total, np.nan)
    return mean


def aqi(hours: Hours) -> Array:
    """The AQI at each hour, whole numbers: the worse of PM2.5 and PM10, from their NowCast."""
    found = [table().value(quantity, nowcast(hours.mean(quantity))) for quantity in _STEP]
    whole: Array = np.floor(worst(found) + 0.5)
    return whole


AQI = Index(
    id="us-aqi",
    word="AQI (US EPA)",
    quantities=("pm25", "pm10"),
    bands=CATEGORIES,
    of=aqi,
    band=partial(band_of, (50.0, 100.0, 150.0, 200.0, 300.0)),
    source="US EPA, AQI of 2024-05-06, NowCast",
)
