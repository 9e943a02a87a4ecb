"""Conditions for learning in a room (학습능률지수): an experiment of ours, no published index."""

import numpy as np

from edge.index.hours import Hours
from edge.index.scheme import Band, Index
from edge.readings import Array

BANDS = (
    Band("Hardly any loss", "#155fae"),
    Band("Some loss", "#17703f"),
    Band("Noticeable loss", "#984a00"),
    Band("Strong loss", "#ad1f18"),
)
EDGES = (95.0, 88.0, 80.0)
"""Where the bands end, from above; ours."""


def conditions(temp: Array, co2: Array, pm25: Array) -> Array:
    """100 less what warm, stuffy and dusty air is thought to cost, at `temp` [°C], `co2` [ppm] and `pm25`
    [µg/m³]; NaN where one of them is missing.

    2 % a degree above 20 °C (after Wargocki 2019, doi:10.1016/j.buildenv.2019.04.046), up to 12 % between 900
    and 2100 ppm, 0.15 % a µg/m³. The factors' sizes have each been studied; that they multiply has not.
    """
    warm = 1 - 0.02 * np.clip(temp - 20, 0, 10)
    stuffy = 1 - 0.12 * np.clip((co2 - 900) / 1200, 0, 1)
    dusty = 1 - 0.0015 * np.clip(pm25, 0, 100)
    value: Array = 100 * warm * stuffy * dusty
    return value


def of(hours: Hours) -> Array:
    """The conditions at each hour."""
    return conditions(hours.mean("temp"), hours.mean("co2"), hours.mean("pm25"))


def band(values: Array) -> Array:
    """The place in `BANDS` of each value."""
    place = np.sum([values < edge for edge in EDGES], axis=0)
    found: Array = np.where(np.isnan(values), np.nan, place)
    return found


LEARNING = Index(
    id="learning",
    word="Conditions for learning",
    quantities=("temp", "co2", "pm25"),
    bands=BANDS,
    of=of,
    band=band,
    source="Gongi, experimental",
    rising=False,
    experimental=True,
)
