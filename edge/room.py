"""A room's air as one well-mixed zone: what comes in, what is lost, what its actuators change.

dC/dt = inward·Cout + source − loss·C − delivered·(CADR/V)·C + (Q/V)·(passing·Cout − C). Rates are per hour,
concentrations in µg/m³, volumes in m³, flows in m³/h. `inward` is air change times penetration, `loss` air
change plus deposition; both have another value while people are in.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge.network import Actuator, Room

PENETRATION, DEPOSITION = 0.8, 0.2
"""Share of outdoor particles that come in with leaking air, and loss to surfaces [1/h], where nothing is
identified; DOI 10.4209/aaqr.210328 and the ranges in docs/control.md."""
BREATH = 14_500.0
"""CO2 that a sitting pupil gives [ppm·m³/h]."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A room's own terms: `inward` [1/h], `loss` [1/h] and `air` change [1/h] when empty and with people in
    (`busy_…`); what people raise, `source` [µg/m³/h], and breathe out, `breath` [ppm/h]; the share of its
    purifiers' CADR `delivered`, and the share of outdoor particles that a ventilator lets pass."""

    inward: float
    loss: float
    busy_inward: float
    busy_loss: float
    air: float
    busy_air: float
    source: float = 0.0
    breath: float = 0.0
    delivered: float = 1.0
    passing: float = 1.0

    @classmethod
    def of(cls, room: Room) -> "Balance":
        """The balance that the network file gives for a room."""
        inward, loss = room.ach * PENETRATION, room.ach + DEPOSITION
        breath = room.occupants * BREATH / room.volume
        return cls(inward, loss, inward, loss, room.ach, room.ach, breath=breath)


def cleaning(room: Room, running: Iterable[tuple[Actuator, int]]) -> float:
    """How fast a room's air is cleaned [1/h] by its actuators at their levels: their CADR over its volume."""
    return sum(actuator.levels[level].cadr for actuator, level in running) / room.volume


COLD, HOT = 16.0, 27.0
"""Outdoor air below and above which rooms are heated and cooled [°C]."""


def degrees(inside: float, outside: float) -> float:
    """How many degrees [K] outdoor air must be warmed or cooled to be let in; 0 in mild weather."""
    return abs(inside - outside) if outside < COLD or outside > HOT else 0.0


def lead_hours(now: float, target: float, gain: float, loss: float) -> float:
    """How long [h] cleaning takes from `now` to `target` with particles coming at `gain` [µg/m³/h] and going
    at `loss` [1/h]; infinite if the room settles above it."""
    steady = gain / loss
    if now <= target:
        return 0.0
    return math.log((now - steady) / (target - steady)) / loss if steady < target else math.inf
