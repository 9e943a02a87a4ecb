"""A room's air as one well-mixed zone: what a level of its actuators would change.

dC/dt = a·P·Cout − (a + k + CADR/V + Q/V)·C + S/V. Rates are per hour, concentrations in µg/m³, volumes in m³,
flows in m³/h.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge.network import Actuator, Level, Room


@dataclass(frozen=True, slots=True)
class Balance:
    """A room's own terms: volume [m³], air change by leaks [1/h], the share of outdoor particles that come in
    with it, and deposition [1/h]."""

    volume: float
    ach: float = 0.75
    penetration: float = 0.8
    deposition: float = 0.2

    @classmethod
    def of(cls, room: Room) -> "Balance":
        """The balance that the network file gives for a room."""
        return cls(room.volume, room.ach)

    def loss(self, levels: Iterable[Level]) -> float:
        """How fast particles vanish [1/h] while actuators run at these levels."""
        return self.ach + self.deposition + sum(level.cadr + level.flow for level in levels) / self.volume

    def intake(self, levels: Iterable[Level]) -> float:
        """How fast outdoor particles come in [1/h, times their concentration] by leaks and ventilators."""
        return self.ach * self.penetration + sum(level.flow for level in levels) / self.volume


def cleaning(room: Room, running: Iterable[tuple[Actuator, int]]) -> float:
    """How fast a room's air is cleaned [1/h] by its actuators at their levels: their CADR over its volume."""
    return sum(actuator.levels[level].cadr for actuator, level in running) / room.volume


def ahead(now: float, gain: float, loss: float, hours: float) -> float:
    """The concentration in `hours` from `now`, with particles coming at `gain` [µg/m³/h], going at `loss`."""
    left = math.exp(-loss * hours)
    return now * left + gain / loss * (1.0 - left)


def implied_gain(now: float, later: float, loss: float, hours: float) -> float:
    """The gain [µg/m³/h] that leads from `now` to `later` in `hours`; 0 if it falls faster than `loss`."""
    left = math.exp(-loss * hours)
    return max((later - now * left) / (1.0 - left) * loss, 0.0)


def lead_hours(now: float, target: float, gain: float, loss: float) -> float:
    """How long [h] cleaning takes from `now` to `target`; infinite if the room settles above it."""
    steady = gain / loss
    if now <= target:
        return 0.0
    return math.log((now - steady) / (target - steady)) / loss if steady < target else math.inf
