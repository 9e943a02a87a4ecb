"""What is asked about a room and what is answered: between the river, the policy and the console."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist

from edge.choice import Prices
from edge.network import Room
from edge.pace import Running
from edge.room import Balance

_REASONS: Mapping[str, str] = {
    "stale": "no fresh PM2.5 value; the device falls back by itself",
    "safe": "no fresh PM2.5 value; its safe level, as it has no timer of its own",
    "hand": "set by hand {minutes} min ago",
    "asked": "a person asked for it, for {minutes} min",
    "over": "PM2.5 is {now} µg/m³, above {limit}",
    "ahead": "forecast {forecast} µg/m³ in {minutes} min, may reach {risk}, above {limit}",
    "cleaning": "PM2.5 may come to {risk} µg/m³ within {minutes} min without it, above {limit}",
    "clean": "PM2.5 stays below {limit} µg/m³ for {minutes} min without it",
    "below": "PM2.5 stays below {limit} µg/m³",
    "aired": "outdoor air is clean: {outdoor} µg/m³; the ventilator does it",
    "empty": "nobody is in the room for the next {minutes} min",
    "co2": "CO2 is {co2} ppm, above {limit}",
    "co2-ahead": "CO2 would come to {co2} ppm in {minutes} min, above {limit}",
    "co2-foul": "CO2 is {co2} ppm, above {limit}; outdoor air has {outdoor} µg/m³, so no more than needed",
    "fresh": "outdoor air is cleaner: {outdoor} µg/m³, indoors {now}",
    "foul": "outdoor air is no cleaner: {outdoor} µg/m³, indoors {now}",
    "unknown": "outdoor air is unknown and CO2 is not above {limit} ppm",
    "enough": "the air keeps within its limits without it",
    "quiet": "quiet hours: at most level {level}",
    "power": "the site may draw {watts} W more at most",
    "run": "must run for {minutes} min once started",
    "rest": "must rest for {minutes} min once stopped",
    "hold": "keeps its level for {minutes} min before it goes down",
    "switches": "has switched {count} times within the hour",
    "open": "open the windows: outdoor air has {outdoor} µg/m³, indoors {now}",
    "open-co2": "open the windows: CO2 is {co2} ppm, above {limit}",
    "shut": "keep the windows shut: outdoor air has {outdoor} µg/m³, indoors {now}",
}
PM10 = "-pm10"
"""Ends the key of a reason that speaks of a room kept on PM10."""
REASONS: Mapping[str, str] = {
    **_REASONS,
    **{key + PM10: text.replace("PM2.5", "PM10") for key, text in _REASONS.items() if "PM2.5" in text},
}
"""Why a level was chosen: the key for the word catalogue, and the English text with its placeholders."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How rooms are kept.

    `limit` [µg/m³] and `co2_limit` [ppm]; a room's own limits `pm25` (or `pm10`) and `co2` override them.
    Cost of a `miss` and of a needless `alarm` in one unit: their share is the confidence with which the limit
    is kept, unless the room asks for its own. Times [s]: how far it looks ahead and in how many `steps`,
    least run and rest, hold before a lower level, how long a hand's choice is left alone, life and repetition
    of commands. `margin` [µg/m³]: by how much outdoor air must be cleaner before more of it is let in;
    `window` [1/h]: air change that open windows add; `recovered`: the share of heat that a ventilator
    keeps; `prices` of what is not kept, `price` of a kWh where the site says none.
    """

    limit: float = 35.0
    co2_limit: float = 1000.0
    lead_s: int = 1800
    steps: int = 6
    miss: float = 19.0
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
    window: float = 3.0
    recovered: float = 0.7
    price: float = 150.0
    prices: Prices = field(default_factory=Prices)

    @property
    def confidence(self) -> float:
        """With which probability the limit is kept."""
        return self.miss / (self.miss + self.alarm)


@lru_cache(maxsize=64)
def fractile(confidence: float) -> float:
    """How much of the way from a forecast to its upper end (95 %) counts as risk."""
    return deviations(confidence) / deviations(0.95)


@lru_cache(maxsize=64)
def deviations(confidence: float) -> float:
    """How many standard deviations above the expected value aren't passed with this confidence."""
    return NormalDist().inv_cdf(confidence)


@dataclass(frozen=True, slots=True)
class Measured:
    """A newest value in its unit, its QARTOD flag, its age [s] and its standard uncertainty."""

    value: float
    flag: int
    age_s: float
    u: float = 0.0


@dataclass(frozen=True, slots=True)
class Ahead:
    """A forecast for `horizon_s` from now with its 90 % interval [µg/m³]."""

    horizon_s: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class RoomState:
    """What is known of a room at `now` [ns]: newest values (`pm25` and `outdoor` are PM10 where the room is
    kept on that), forecasts as it is (of the outdoor air too), people now or within the policy's lead time,
    in how many seconds they come (`arrive_s`), and what its actuators (by id) do; `interval_s` is that of its
    node's batches. `balance` as identified (None: as the files say), `quiet` hours, `price` of a kWh (None:
    the policy's), `budget_w` that its actuators may draw together, degrees [K] between outdoor air and the
    room where it is heated or cooled, and `lead_s` that cleaning this room takes (None: the policy's)."""

    room: Room
    now: int
    pm25: Measured | None
    outlook: tuple[Ahead, ...] = ()
    outdoor: Measured | None = None
    outdoor_outlook: tuple[Ahead, ...] = ()
    co2: Measured | None = None
    occupied: bool = True
    occupied_soon: bool = True
    arrive_s: float = 0.0
    running: Mapping[str, Running] = field(default_factory=dict)
    interval_s: float = 60.0
    balance: Balance | None = None
    quiet: bool = False
    price: float | None = None
    budget_w: float = math.inf
    heat: float = 0.0
    lead_s: int | None = None

    @property
    def people(self) -> bool:
        """Whether anybody is in the room now or soon."""
        return self.occupied or self.occupied_soon


@dataclass(frozen=True, slots=True)
class Candidate:
    """A combination that was considered, a level for each of the room's actuators in their order: PM2.5
    expected at the end of the lead time, how high it may be then and at its peak until then [µg/m³], CO2 then
    [ppm], the energy [Wh], and all that it costs, in the unit of the energy's price."""

    levels: tuple[int, ...]
    value: float
    risk: float
    peak: float
    co2: float
    energy: float
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
