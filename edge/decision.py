"""What is asked about a room and what is answered: between the river, the policy and the console."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from edge.network import Room
from edge.pace import Running

REASONS: Mapping[str, str] = {
    "stale": "no fresh PM2.5 value; the device falls back by itself",
    "hand": "set by hand {minutes} min ago",
    "over": "PM2.5 is {now} µg/m³, above {limit}",
    "ahead": "forecast {forecast} µg/m³ in {minutes} min, may reach {risk}, above {limit}",
    "cleaning": "PM2.5 may still be {risk} µg/m³ in {minutes} min without it, above {rest}",
    "clean": "PM2.5 stays below {rest} µg/m³",
    "below": "PM2.5 stays below {limit} µg/m³",
    "empty": "nobody is in the room for the next {minutes} min",
    "co2": "CO2 is {co2} ppm, above {limit}",
    "co2-foul": "CO2 is {co2} ppm, above {limit}; outdoor air has {outdoor} µg/m³, so at the lowest level",
    "fresh": "outdoor air is cleaner: {outdoor} µg/m³, indoors {now}",
    "foul": "outdoor air is no cleaner: {outdoor} µg/m³, indoors {now}",
    "unknown": "outdoor air is unknown and CO2 is not above {limit} ppm",
    "run": "must run for {minutes} min once started",
    "rest": "must rest for {minutes} min once stopped",
    "hold": "keeps its level for {minutes} min before it goes down",
    "switches": "has switched {count} times within the hour",
}
"""Why a level was chosen: the key for the word catalogue, and the English text with its placeholders."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a room is kept.

    `limit` and `rest` (where cleaning ends) [µg/m³], CO2 limit [ppm] and the part of it where airing ends; a
    room's own limits `pm25` and `co2` override them, `rest` in proportion; `down` is the part of `rest` that
    a lower level must promise. Cost of a `miss` and of a needless `alarm` in one unit. Times [s]: lead, least
    run and rest, hold before a lower level, how long a hand's choice is left alone, life and repetition of
    commands. `margin` [µg/m³]: by how much outdoor air must be cleaner before a ventilator starts for it;
    `air` [m³/h]: what a person needs.
    """

    limit: float = 35.0
    rest: float = 25.0
    co2_limit: float = 1000.0
    co2_rest: float = 0.8
    down: float = 0.85
    lead_s: int = 1800
    miss: float = 4.0
    alarm: float = 1.0
    min_run_s: int = 600
    min_off_s: int = 300
    hold_s: int = 300
    max_switches: int = 8
    hand_s: int = 3600
    ttl_s: int = 300
    repeat_s: int = 15
    repeats: int = 3
    intervals: float = 3.0
    margin: float = 5.0
    air: float = 21.6

    @property
    def fractile(self) -> float:
        """How much of the way from a forecast to its upper end (95 %) counts as risk."""
        normal = NormalDist()
        return normal.inv_cdf(self.miss / (self.miss + self.alarm)) / normal.inv_cdf(0.95)


@dataclass(frozen=True, slots=True)
class Measured:
    """A newest value in its unit, its QARTOD flag and its age [s]."""

    value: float
    flag: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """A forecast for `horizon_s` from now with its 90 % interval [µg/m³]."""

    horizon_s: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class RoomState:
    """What is known of a room at `now` [ns]: newest values, forecasts as it is, people now or within the
    policy's lead time, and what its actuators (by id) do; `interval_s` is that of its node's batches."""

    room: Room
    now: int
    pm25: Measured | None
    outlook: tuple[Ahead, ...] = ()
    outdoor: Measured | None = None
    co2: Measured | None = None
    occupied: bool = True
    occupied_soon: bool = True
    running: Mapping[str, Running] = field(default_factory=dict)
    interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A level that was considered: PM2.5 expected at the end of the lead time, how high it may be then and at
    its peak until then [µg/m³], and the energy that it costs [Wh]."""

    level: int
    value: float
    risk: float
    peak: float
    cost: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The level an actuator should have (None: send nothing and let its last command expire), why (`key` and
    `details` for the word catalogue, `reason` in English), and what was considered."""

    actuator: str
    level: int | None
    key: str
    details: Mapping[str, float]
    candidates: tuple[Candidate, ...] = ()

    @property
    def reason(self) -> str:
        """The reason in English."""
        return REASONS[self.key].format(**{name: f"{value:g}" for name, value in self.details.items()})
