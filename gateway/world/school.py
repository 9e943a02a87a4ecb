"""One site's air through time: as its machines are commanded, and as if they were off or full on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from edge.network import Actuator, Room, Site
from gateway.world.air import Air, Floats
from gateway.world.airflow import Modes, modes
from gateway.world.building import Drive, Flows, capacity, flows, outside, perceived, sources
from gateway.world.people import Activity, activity

LIMIT = 35.0
"""PM2.5 [µg/m³] that indoor air of schools may not exceed."""
FILTER_LIFE = 3000.0
"""Hours of running after which a filter gives half its clean air."""
REMEMBERED = 64
"""Sets of flows whose modes are kept."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What people of a room breathed in one scenario: occupied and all hours [h], mean PM2.5 in them [µg/m³],
    mean CO2 while occupied [ppm], occupied hours over 35 µg/m³."""

    occupied_h: float
    hours: float
    occupied_pm25: float
    pm25: float
    occupied_co2: float
    over_h: float


@dataclass(slots=True)
class Machine:
    """An actuator as it stands in the room: its level now, hours its filter ran, turns, energy used [kWh]."""

    actuator: Actuator
    level: int = 0
    filter_hours: float = 0.0
    turns: int = 0
    energy: float = 0.0

    def drive(self, level: int) -> tuple[float, float]:
        """Clean and outdoor air [m³/h] at a level, after what the filter has seen."""
        said = self.actuator.levels[level]
        return said.cadr * 2 ** -(self.filter_hours / FILTER_LIFE), said.flow

    def run(self, hours: float) -> None:
        """Account for `hours` at its level."""
        said = self.actuator.levels[self.level]
        self.filter_hours += hours * (said.cadr + said.flow > 0)
        self.energy += hours * said.power / 1000

    def turn(self, level: int) -> None:
        """Turn to a level; beyond its last, the last."""
        held = min(max(level, 0), len(self.actuator.levels) - 1)
        self.turns += held != self.level
        self.level = held


@dataclass(slots=True)
class School:
    """The rooms of `site` with their `machines`; `state` (scenario, quantity, zone)."""

    site: Site
    machines: Mapping[str, Machine]
    seed: int
    rooms: tuple[Room, ...] = field(init=False)
    state: Floats = field(init=False)
    counts: Floats = field(init=False)
    """(scenario, room, 6) sums behind `exposure`."""
    _capacity: Floats = field(init=False)
    _doing: tuple[Activity, ...] = ()
    _minute: int = -1
    _modes: dict[object, tuple[Modes, Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rooms = tuple(self.site.rooms.values())
        self._capacity = capacity(self.rooms)
        self.counts = np.zeros((len(SCENARIOS), len(self.rooms), 6))

    def settle(self, outdoors: Air) -> None:
        """Begin as an empty building has long been in this outdoor air, at 19 °C."""
        air = outside(outdoors)
        calm = self._flows([Activity()] * len(self.rooms), [Drive()] * len(self.rooms))
        found = modes(self._capacity, calm.exchange, calm.loss).steady(calm.inlet * air[:, None])
        found[-1] = 19.0
        self.state = np.broadcast_to(found, (len(SCENARIOS), *found.shape)).copy()

    def advance(self, time: float, hours: float, outdoors: Air) -> None:
        """From `time` [UTC s] on for `hours`, people and machines as at `time`."""
        doing = self._activity(time, outdoors)
        drives = [self._drives(scenario, doing, outdoors) for scenario in SCENARIOS]
        exchanged, inlet = self._exchanged(doing, drives)
        given = np.stack([sources(self.rooms, doing, drive) for drive in drives])
        source = inlet * outside(outdoors)[:, None] + given
        self.state, mean = exchanged.advance(self.state, source, hours)
        self._count(mean, doing, hours)
        for machine in self.machines.values():
            machine.run(hours)

    def air(self, room: str, scenario: str = "commanded") -> Air:
        """The air that people of a room breathe."""
        zone = 2 * [known.id for known in self.rooms].index(room)
        return perceived(self.state[SCENARIOS.index(scenario), :, zone])

    def people(self, room: str) -> float:
        """How many are inside."""
        index = [known.id for known in self.rooms].index(room)
        return self._doing[index].people if self._doing else 0.0

    def exposure(self, room: str, scenario: str = "commanded") -> Exposure:
        """What people of a room have breathed so far in a scenario."""
        index = [known.id for known in self.rooms].index(room)
        used, hours, dose, all_dose, co2, over = map(float, self.counts[SCENARIOS.index(scenario), index])
        per_used, per_hour = 1 / max(used, 1e-9), 1 / max(hours, 1e-9)
        return Exposure(used, hours, dose * per_used, all_dose * per_hour, co2 * per_used, over)

    def _activity(self, time: float, outdoors: Air) -> tuple[Activity, ...]:
        if int(time // 60) != self._minute:
            self._minute = int(time // 60)
            moment = datetime.fromtimestamp(time, UTC)
            self._doing = tuple(activity(self.seed, self.site, r, moment, outdoors) for r in self.rooms)
        return self._doing

    def _drives(self, scenario: str, doing: Sequence[Activity], outdoors: Air) -> list[Drive]:
        pairs = zip(self.rooms, doing, strict=True)
        return [self._drive(scenario, room, act, outdoors) for room, act in pairs]

    def _drive(self, scenario: str, room: Room, act: Activity, outdoors: Air) -> Drive:
        machines = [m for m in self.machines.values() if m.actuator.room == room.id]
        air = [machine.drive(_LEVELS[scenario](machine)) for machine in machines]
        built_in = 20.0 * act.people * (room.ventilation == "mechanical" and not any(f for _, f in air))
        return Drive(sum(c for c, _ in air), sum(f for _, f in air) + built_in, _wanted(act, outdoors))

    def _exchanged(self, doing: Sequence[Activity], drives: list[list[Drive]]) -> tuple[Modes, Floats]:
        moving = tuple((act.people > 0, act.door, act.window) for act in doing)
        driven = (drive for row in drives for drive in row)
        key = moving, tuple((round(d.cadr, 1), round(d.flow), d.wanted is None) for d in driven)
        if key not in self._modes:
            if len(self._modes) >= REMEMBERED:
                self._modes.clear()
            each = [self._flows(doing, drive) for drive in drives]
            exchange = np.stack([found.exchange for found in each])[:, None]
            loss, inlet = (np.stack([getattr(f, name) for f in each]) for name in ("loss", "inlet"))
            self._modes[key] = modes(self._capacity, exchange, loss), inlet
        return self._modes[key]

    def _flows(self, doing: Sequence[Activity], drives: Sequence[Drive]) -> Flows:
        return flows(self.rooms, doing, drives)

    def _count(self, mean: Floats, doing: Sequence[Activity], hours: float) -> None:
        used = np.array([act.people > 0 for act in doing]) * hours
        pm25, co2 = mean[:, 0, :-1:2] + mean[:, 1, :-1:2], mean[:, 3, :-1:2]
        whole = np.full_like(pm25, hours)
        sums = (used + 0 * pm25, whole, pm25 * used, pm25 * hours, co2 * used, (pm25 > LIMIT) * used)
        self.counts = self.counts + np.stack(sums, axis=-1)  # a new one: other threads read the old


_LEVELS: dict[str, Callable[[Machine], int]] = {
    "commanded": lambda machine: machine.level,
    "off": lambda machine: 0,
    "full": lambda machine: len(machine.actuator.levels) - 1,
}
SCENARIOS = tuple(_LEVELS)
"""What the machines do: what they are told; nothing; all they can."""


def _wanted(act: Activity, outdoors: Air) -> float | None:
    """The thermostat's setting [°C]: heating and cooling run while people are in."""
    if not act.people:
        return None
    return 20.0 if outdoors.temp < 14 else 26.0 if outdoors.temp > 23 else None
