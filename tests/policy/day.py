"""A day of one classroom in a closed loop: a room's air, its sensors, the forecast, the policy, its purifier.

The room is not the policy's: it leaks more while people come and go, its purifier has lost a sixth of its
CADR, and its sensors are noisy and round to whole µg/m³.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from edge.decision import Ahead, Decision, Measured, Policy, RoomState
from edge.forecast import Forecaster
from edge.network import Actuator, Network, Node, Placement, Site
from edge.pace import Running, reported
from edge.policy import decide
from edge.predict.model import Model
from edge.predict.series import History
from edge.readings import KEYS, SECOND, Array, Column, Readings
from edge.room import cleaning
from tests.policy.school import PURIFIER, ROOM

NODES = ("in", "out")
NETWORK = Network(
    "gongi/v1",
    {"hana": Site("hana", "하나초", "Hana", "Asia/Seoul", {ROOM.id: ROOM})},
    {
        "in": Node("in", (Placement(0, "hana", ROOM.id, "wall"),)),
        "out": Node("out", (Placement(0, "hana", "", "roof"),)),
    },
    {PURIFIER.id: PURIFIER},
)
ZONE = NETWORK.sites["hana"].zone
STEPS = 6
DAYS = Path(__file__).parent / "days"


@dataclass(frozen=True, slots=True)
class Day:
    """A day as its file tells it: first second, outdoor PM2.5 and indoor gain by minute, what must happen."""

    start: int
    outdoor: Array
    gain: Array
    expect: tuple[dict[str, Any], ...] = ()
    quiet: tuple[tuple[float, float], ...] = ()
    blind: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """The purifier took another level, at this local hour."""

    hour: float
    level: int
    key: str


@dataclass
class Outcome:
    """What came of a day: true PM2.5, occupancy and level by minute, what happened, energy [Wh]."""

    pm25: list[float] = field(default_factory=list)
    occupied: list[bool] = field(default_factory=list)
    level: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    energy: float = 0.0

    @property
    def hours_above(self) -> float:
        """Occupied hours above 35 µg/m³."""
        return sum(o and c > 35.0 for c, o in zip(self.pm25, self.occupied, strict=True)) / 60

    @property
    def exposure(self) -> float:
        """Mean PM2.5 in occupied hours [µg/m³]."""
        return float(np.mean([c for c, o in zip(self.pm25, self.occupied, strict=True) if o] or [0.0]))

    @property
    def switches(self) -> int:
        """How often it was switched on or off."""
        on = np.array(self.level) > 0
        return int(np.count_nonzero(on[1:] != on[:-1]))


Chooser = Callable[[RoomState], Decision]


def read(name: str) -> Day:
    """A day from its file in `days/`."""
    return of(tomllib.loads((DAYS / f"{name}.toml").read_text(encoding="utf-8")))


def of(told: dict[str, Any]) -> Day:
    """A day from its table: `outdoor` and `gain` as [hour, value] corners of straight lines."""
    start = datetime.fromisoformat(told["date"]).replace(tzinfo=ZONE)
    hours = np.arange(24 * 60) / 60
    outdoor, gain = (np.interp(hours, *zip(*told[name], strict=True)) for name in ("outdoor", "gain"))
    spans = (tuple(tuple(span) for span in told.get(name, ())) for name in ("quiet", "blind"))
    return Day(int(start.timestamp()), outdoor, gain, tuple(told.get("expect", ())), *spans)


def with_policy(policy: Policy, blind: bool = False) -> Chooser:
    """The policy; `blind` takes its forecasts away."""

    def choose(state: RoomState) -> Decision:
        seen = RoomState(**{**_fields(state), "outlook": ()}) if blind else state
        return decide(seen, policy, (PURIFIER,))[0]

    return choose


def always(level: int) -> Chooser:
    """One level, all day."""
    return lambda state: Decision(PURIFIER.id, level, "over", {"now": 0, "limit": 0})


def live(day: Day, choose: Chooser, model: Model | None = None, seed: int = 0) -> Outcome:
    """The day in a closed loop; a minute is a batch of the indoor and one of the outdoor node."""
    forecaster = Forecaster(model) if model else Forecaster()
    rng = np.random.default_rng(seed)
    outcome, device, air = Outcome(), Running(0, "safe"), float(day.outdoor[0]) * 0.5
    for minute in range(24 * 60):
        now = (day.start + (minute + 1) * 60) * SECOND
        level = device.level or 0
        path = _breathe(air, day, minute, PURIFIER, level)
        air = path[-1]
        if not any(a * 60 <= minute < b * 60 for a, b in day.blind):
            forecaster.ingest(batch(now, path, float(day.outdoor[minute]), rng), now)
        forecaster.clean("hana", ROOM.id, cleaning(ROOM, [(PURIFIER, level)]))
        decision = choose(_state(forecaster, day, minute, now, device))
        outcome.pm25.append(air)
        outcome.occupied.append(_occupied(now))
        outcome.level.append(level)
        outcome.energy += PURIFIER.levels[level].power / 60
        if decision.level not in (None, level):
            assert decision.level is not None
            outcome.events.append(Event((minute + 1) / 60, decision.level, decision.key))
            device = reported(device, decision.level, "command", now)
    return outcome


def past_of(days: Sequence[Day], levels: Sequence[int]) -> History:
    """What the history holds after these days at fixed levels."""
    end = max(day.start for day in days) + 86400
    past = History(min(day.start for day in days) * SECOND, end * SECOND)
    for number, (day, level) in enumerate(zip(days, levels, strict=True)):
        rng, air = np.random.default_rng(1000 + number), float(day.outdoor[0]) * 0.5
        past.act(PURIFIER.id, day.start * SECOND, level)
        for minute in range(24 * 60):
            path = _breathe(air, day, minute, PURIFIER, level)
            air = path[-1]
            past.add(batch((day.start + (minute + 1) * 60) * SECOND, path, float(day.outdoor[minute]), rng))
    return past


def batch(now: int, path: Sequence[float], outdoor: float, rng: np.random.Generator) -> Readings:
    """A minute's samples of both nodes, as good as sensors are."""
    truth = np.array([*path, *([outdoor] * STEPS)])
    value = np.maximum(
        np.round(truth * (1 + rng.normal(0, 0.05, truth.size)) + rng.normal(0, 0.5, truth.size)), 0
    )
    keys = {name: np.zeros(truth.size, kind) for name, kind in KEYS.items()}
    keys["node"] = np.repeat(np.arange(2, dtype=np.int32), STEPS)
    keys["time"] = now - 60 * SECOND + np.tile(np.arange(STEPS), 2) * 10 * SECOND
    keys["dt"] = np.full(truth.size, 10, np.int64)
    column = Column.of_raw(value).map(lambda cells: cells)
    good = Column(column.raw, column.value, column.u, np.ones(truth.size, np.uint8), column.tests)
    return Readings(nodes=NODES, cals=("",), columns={"pm25": good}, **keys)


def _breathe(air: float, day: Day, minute: int, actuator: Actuator, level: int) -> list[float]:
    ach = 1.1 if _occupied((day.start + minute * 60) * SECOND) else 0.6
    loss = ach + 0.3 + 0.83 * actuator.levels[level].cadr / ROOM.volume
    path = []
    for _ in range(STEPS):
        gain = ach * 0.85 * float(day.outdoor[minute]) + float(day.gain[minute])
        air += (gain - loss * air) * 10 / 3600
        path.append(air)
    return path


def _state(forecaster: Forecaster, day: Day, minute: int, now: int, device: Running) -> RoomState:
    said = forecaster.predict(NETWORK, now, NODES)
    newest = dict(zip(said.nodes, range(len(said)), strict=True))
    measured = {
        node: Measured(forecaster.level(node), 1, (now - int(said.origin[place])) / SECOND)
        for node, place in newest.items()
    }
    rows = (
        zip(
            said.horizons,
            *(getattr(said, part)[newest["in"]] for part in ("value", "lower", "upper")),
            strict=True,
        )
        if "in" in newest
        else ()
    )
    outlook = tuple(Ahead(horizon, float(v), float(low), float(high)) for horizon, v, low, high in rows)
    soon = now + 1800 * SECOND
    return RoomState(
        room=ROOM,
        now=now,
        pm25=measured.get("in"),
        outlook=outlook,
        outdoor=measured.get("out"),
        occupied=_occupied(now),
        occupied_soon=_occupied(soon),
        running={PURIFIER.id: device},
    )


def _occupied(now: int) -> bool:
    return NETWORK.sites["hana"].occupied(ROOM.id, datetime.fromtimestamp(now / SECOND, ZONE))


def _fields(state: RoomState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in RoomState.__slots__}
