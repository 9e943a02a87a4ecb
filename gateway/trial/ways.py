"""The ways to run a room's purifier and ventilator that are compared: four rules, ours, and an oracle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.readings import Array
from gateway.trial.day import Day
from gateway.trial.house import PURIFIER, VENTILATOR

TOP = len(PURIFIER) - 1
CO2_ON, CO2_OFF = 1000.0, 800.0
"""Where the rules' ventilator starts and stops [ppm]."""
EARLY = 30.0
"""Minutes that a timetable runs before people come."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a way sees at a step: the day and its step (only an oracle may look into it), N measured values
    inside and outside [µg/m³], CO2 [ppm], the level of both machines (N × 2), whether the timetable says that
    people are in, minutes until they come, local second."""

    day: Day
    step: int
    inside: Array
    outside: Array
    co2: Array
    level: Array
    used: bool
    arrive: float
    second: float


class Way(Protocol):
    """One way: levels (N × 2) wanted after what is seen."""

    @property
    def name(self) -> str:
        """What it is called."""

    def __call__(self, sight: Sight) -> Array:
        """The levels (N × 2) from now on."""


@dataclass(frozen=True, slots=True)
class Always:
    """A fixed level at all times."""

    name: str
    purifier: int
    ventilator: int

    def __call__(self, sight: Sight) -> Array:
        return np.broadcast_to([self.purifier, self.ventilator], sight.level.shape)


@dataclass(frozen=True, slots=True)
class ByTimetable:
    """A fixed level from half an hour before people come until they go."""

    name: str = "timetable"
    purifier: int = 2
    ventilator: int = 1

    def __call__(self, sight: Sight) -> Array:
        on = sight.used or sight.arrive <= EARLY
        return np.broadcast_to([self.purifier * on, self.ventilator * on], sight.level.shape)


@dataclass(frozen=True, slots=True)
class Threshold:
    """On above one value, off below another, at one level: at any time, or (`early` ≥ 0) from so many minutes
    before people come until they go; the ventilator the same by CO2 while they are in."""

    on: float
    off: float
    purifier: int
    early: float
    ventilator: int = 1
    name: str = "threshold"

    def __call__(self, sight: Sight) -> Array:
        awake = self.early < 0 or sight.used or sight.arrive <= self.early
        running = sight.level[:, 0] > 0
        clean = (sight.inside > np.where(running, self.off, self.on)) & awake
        airing = sight.level[:, 1] > 0
        air = (sight.co2 > np.where(airing, CO2_OFF, CO2_ON)) & sight.used
        return np.stack([clean * self.purifier, air * self.ventilator], axis=1)


def thresholds(early: Sequence[float], name: str) -> Sequence[Threshold]:
    """What the tuning tries of one kind."""
    return [
        Threshold(on, 0.6 * on, level, minutes, air, name)
        for on in (15.0, 20.0, 25.0, 30.0, 35.0)
        for level in range(1, TOP + 1)
        for minutes in early
        for air in range(1, len(VENTILATOR))
    ]


def rules() -> list[Way]:
    """The rules that need no tuning."""
    return [Always("off", 0, 0), Always("always on", TOP, len(VENTILATOR) - 1), ByTimetable()]
