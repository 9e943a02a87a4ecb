"""Korea: the four grades of particulate matter and the PM part of the comprehensive index (CAI).

AirKorea gives a CAI only where PM10, PM2.5, NO2 and O3 are all there. A node measures particles alone:
its value is a PM sub-index and is never called CAI.
"""

from datetime import date
from functools import partial

import numpy as np

from edge.index.hours import Hours, running, windows
from edge.index.scheme import Band, Index, Table, band_of, in_force, worst
from edge.readings import Array

GRADES = (
    Band("Good", "#1e64d2"),
    Band("Moderate", "#0a9a3c"),
    Band("Unhealthy", "#f0962a"),
    Band("Very unhealthy", "#d92f2f"),
)

UNHEALTHY = 2
"""The rank in `GRADES` from which something has to be done."""

TABLES = (
    Table(
        date(2018, 3, 27),
        ends={"pm25": (15, 35, 75, 500), "pm10": (30, 80, 150, 600)},
        values=dict.fromkeys(("pm25", "pm10"), ((0, 50), (51, 100), (101, 250), (251, 500))),
        step={"pm25": 1, "pm10": 1},
    ),
)
"""Ministry of Environment: grades of a daily mean; the breakpoints of CAI are the same. PM1 has none."""

HEAVY = {"pm25": 30.0, "pm10": 70.0}
"""AirKorea's M [µg/m³]: from here on an hour that goes with the last twelve counts three quarters."""
ALIKE = (0.9, 1.7)
DAMPED = 0.75


def table(day: date | None = None) -> Table:
    """The table of that day; the newest without one."""
    return TABLES[-1] if day is None else in_force(TABLES, day)


def rank(quantity: str, value: float, day: date) -> int | None:
    """The place in `GRADES` of a concentration [µg/m³] by that day's table; None for a quantity without."""
    bounds = table(day)
    return int(bounds.band(quantity, np.array([value]))[0]) if quantity in bounds.ends else None


def predicted_day(hourly: Array, quantity: str) -> Array:
    """The 24-h mean [µg/m³] that AirKorea predicts at each hour from `hourly` means: half the mean of twelve
    hours, half that of the last four, in which heavy hours like the twelve are damped. At least 9 of 12 and 3
    of 4 hours have to be there (AirKorea's CAI calculator; the numbers of hours are recalled)."""
    twelve = running(hourly, 12)
    last = windows(hourly, 4)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = last / twelve[:, None]
        damped = (last >= HEAVY[quantity]) & (ratio >= ALIKE[0]) & (ratio <= ALIKE[1])
    four = np.where(damped, DAMPED * last, last)
    there = np.isfinite(four)
    count = there.sum(axis=1)
    mean = np.where(there, four, 0.0).sum(axis=1) / np.maximum(count, 1)
    predicted: Array = (twelve + np.where(count >= 3, mean, np.nan)) / 2
    return predicted


def sub_index(hours: Hours) -> Array:
    """The PM sub-index at each hour, 0 to 500, whole numbers: the worse of PM2.5 and PM10."""
    found = [table().value(quantity, predicted_day(hours.mean(quantity), quantity)) for quantity in HEAVY]
    whole: Array = np.floor(worst(found) + 0.5)
    return whole


PM_INDEX = Index(
    id="kr-pm",
    word="PM sub-index (Korea)",
    quantities=("pm25", "pm10"),
    bands=GRADES,
    of=sub_index,
    band=partial(band_of, (50.0, 100.0, 250.0)),
    source="AirKorea, CAI, grades of 2018-03-27; particles alone",
)
