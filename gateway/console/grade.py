"""What a concentration means: Korea's four grades and the limits of school rooms, as dated tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import floor

from edge.network import Room
from gateway.console.answers import GradeId
from gateway.words import N_


@dataclass(frozen=True, slots=True)
class Grade:
    """One of the four grades, best first; `word` is its message in the catalogue."""

    id: GradeId
    word: str


GRADES = (
    Grade("good", N_("Good")),
    Grade("moderate", N_("Moderate")),
    Grade("unhealthy", N_("Unhealthy")),
    Grade("very_unhealthy", N_("Very unhealthy")),
)

UNHEALTHY = 2
"""The rank in `GRADES` from which something has to be done."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Upper bounds [µg/m³] of the first three grades by quantity, in force from `since` on."""

    since: date
    upper: Mapping[str, tuple[int, int, int]]


KOREA = (Bounds(date(2018, 3, 27), {"pm25": (15, 35, 75), "pm10": (30, 80, 150)}),)
"""The Ministry of Environment's grades of a daily mean; the worse pollutant speaks."""


def in_force(day: date) -> Bounds:
    """The bounds of that day; days before the first table take the first."""
    return next((bounds for bounds in reversed(KOREA) if bounds.since <= day), KOREA[0])


def rank(quantity: str, value: float, day: date) -> int | None:
    """The position in `GRADES` of a concentration [µg/m³], rounded to whole numbers as the tables are;
    None for a quantity without grades."""
    upper = in_force(day).upper.get(quantity)
    return None if upper is None else sum(floor(value + 0.5) > bound for bound in upper)


LIMITS: Mapping[str, Mapping[str, tuple[float | None, float | None]]] = {
    "natural": {
        "pm25": (None, 35.0),
        "pm10": (None, 75.0),
        "co2": (None, 1000.0),
        "temp": (18.0, 28.0),
        "rh": (30.0, 80.0),
    },
    "mechanical": {"co2": (None, 1500.0)},
}
"""School Health Act limits of a room's air as (low, high) in the quantity's unit, by ventilation."""


def limits(room: Room | None) -> dict[str, tuple[float | None, float | None]]:
    """The limits of a room, its own from the network file before the law's; none outdoors."""
    if room is None:
        return {}
    own = {quantity: (None, high) for quantity, high in room.limits.items()}
    return {**LIMITS["natural"], **LIMITS.get(room.ventilation, {}), **own}
