"""All ways through the same year, in the world that isn't the controller's and in the one that is."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from edge.choice import Prices
from edge.decision import Policy
from edge.readings import Array
from gateway import table as tables
from gateway.trial.day import Outdoors, generated, recorded, term_days
from gateway.trial.house import Rooms, drawn, matched
from gateway.trial.oracle import Oracle
from gateway.trial.ours import Ours
from gateway.trial.run import Counts, Trial
from gateway.trial.ways import EARLY, Threshold, Way, rules, thresholds

RECORDED = "outdoor/seoul_city_2018_2021.csv.gz"
TRAINING, YEAR = 2018, 2019
"""The year on which thresholds are tuned, and the one that counts; odd seeds live the years after it."""
YEARS = 3
WARM = 28
"""Days before the year in which the rooms are identified for the first time."""
TUNED_ON = 3
"""Seeds of the training year, none of which is lived later."""
FIRST_OTHER = 9000
"""The training year's rooms are drawn apart from all others."""
THRESHOLDS = {"threshold": (-1.0,), "threshold in school hours": (0.0, EARLY)}
"""Thresholds as devices have them, and such as know the timetable too, with minutes of an early start."""
MEASURES = {
    "exposure": "µg/m³",
    "above": "h",
    "energy": "kWh",
    "switches": "a day",
    "co2": "ppm",
    "cost": "",
}
"""What is said of each way, for a room: mean PM2.5 in occupied hours, hours of them above 35 µg/m³, energy,
starts and stops a school day, mean CO2 in occupied hours, and the cost that thresholds are tuned for."""

Tell = Callable[[str, int, int], None]
"""Told what is done, how far, of how much."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared: seeds, days of the year (in whole weeks), minutes of a step."""

    seeds: int = 20
    days: int = 366
    step: int = 2


def compare(plan: Plan, tell: Tell = lambda *_: None) -> dict[str, Any]:
    """The whole comparison as one JSON object."""
    source = _source()
    tuned = _tuned(plan, source, tell)
    real = _lived(plan, source, tuned, exact=False, tell=tell)
    same = _lived(plan, source, {}, exact=True, tell=tell)
    found = {
        "label": "simulated",
        "outdoor": RECORDED if source else "generated",
        "seeds": plan.seeds,
        "days": len(chosen(term_days(YEAR), plan.days)),
        "step_minutes": plan.step,
        "tuned": {name: [way.on, way.off, way.purifier, way.early] for name, way in tuned.items()},
        "worlds": {"unknown": real, "matched": same},
    }
    return found | {"targets": targets(found)}


def chosen(days: Sequence[date], count: int) -> list[date]:
    """Whole weeks, evenly out of all of them, of at most `count` days (one week at least)."""
    weeks = [list(days[first : first + 7]) for first in range(0, len(days), 7)]
    wanted = max(min(count // 7, len(weeks)), 1)
    places = np.linspace(0, len(weeks) - 1, wanted).round().astype(int)
    return [day for place in places.tolist() for day in weeks[place]]


def _source() -> tuple[Array, Array] | None:
    """Recorded time [UTC s] and PM2.5 where GONGI_DATA has them."""
    path = Path(os.environ.get("GONGI_DATA", "")) / RECORDED
    if not os.environ.get("GONGI_DATA") or not path.exists():
        return None
    table = tables.read(path, "Asia/Seoul")
    return table.time / 1e9, table.numbers["pm25"]


def _outdoors(source: tuple[Array, Array] | None, seed: int, year: int, shift: int) -> Outdoors:
    if source is None:
        return generated(seed * 7 + year, year)
    return recorded(*source, seed, -365 * shift)


def _airs(plan: Plan, source: tuple[Array, Array] | None) -> list[Outdoors]:
    return [
        air for seed in range(plan.seeds) for air in (_outdoors(source, seed, YEAR - 1, seed % YEARS),) * 2
    ]


def _tuned(plan: Plan, source: tuple[Array, Array] | None, tell: Tell) -> dict[str, Threshold]:
    """The best threshold of each kind, by the controller's own cost in the training year."""
    ways = [way for name, early in THRESHOLDS.items() for way in thresholds(early, name)]
    numbers = [FIRST_OTHER + seed for seed in range(TUNED_ON) for _ in range(2)]
    airs = [_outdoors(source, number, TRAINING, 0) for number in numbers]
    trial = Trial(drawn(TUNED_ON, FIRST_OTHER), ways, numbers, airs, max(plan.step, 3))
    days = chosen(term_days(TRAINING), plan.days)
    trial.live(days, tell=lambda done: tell("tuning thresholds", done, len(days)))
    cost = measured(trial.counts, len(days))["cost"].mean(axis=1)
    found: dict[str, Threshold] = {}
    for place in np.argsort(cost).tolist():
        found.setdefault(ways[place].name, ways[place])
    return {name: found[name] for name in THRESHOLDS}


def _lived(
    plan: Plan,
    source: tuple[Array, Array] | None,
    tuned: dict[str, Threshold],
    exact: bool,
    tell: Tell,
) -> list[dict[str, Any]]:
    rooms = matched(drawn(plan.seeds)) if exact else drawn(plan.seeds)
    oracle = Oracle(rooms, exact=exact)
    ways: list[Way] = [*(() if exact else (*rules(), *tuned.values())), Ours(rooms, exact=exact), oracle]
    numbers = [seed for seed in range(plan.seeds) for _ in range(2)]
    trial = Trial(rooms, ways, numbers, _airs(plan, source), plan.step, exact)
    oracle.houses, oracle.place = trial.houses, len(ways) - 1
    before = term_days(YEAR - 1)[-WARM:]
    days = chosen(term_days(YEAR), plan.days)
    said = "the matched world" if exact else "the unknown world"
    trial.live([*before, *days], WARM, lambda done: tell(said, done, WARM + len(days)))
    return list(_rows(trial, rooms, len(days)))


def _rows(trial: Trial, rooms: Rooms, days: int) -> Sequence[dict[str, Any]]:
    values = measured(trial.counts, days)
    kinds = {"all": slice(None), "windows": slice(0, None, 2), "ventilator": slice(1, None, 2)}
    return [
        {
            "way": way.name,
            **{name: _spread(value[place]) for name, value in values.items()},
            "by_room": {
                kind: {name: round(float(value[place, part].mean()), 3) for name, value in values.items()}
                for kind, part in kinds.items()
                if kind != "all"
            },
        }
        for place, way in enumerate(trial.ways)
    ]


def measured(counts: Counts, days: int) -> dict[str, Array]:
    """Every measure (S × N)."""
    prices, price = Prices(), Policy().price
    energy = counts.energy / 1000
    cost = price * energy + prices.dust * counts.excess + prices.co2 * counts.stuffy
    hours = max(counts.hours, 1e-9)
    return {
        "exposure": counts.dose / hours,
        "above": counts.above,
        "energy": energy,
        "switches": counts.switches / max(days * 5 / 7, 1.0),
        "co2": counts.co2 / hours,
        "cost": cost,
    }


def _spread(cells: Array) -> dict[str, float]:
    """Mean and standard deviation over seeds (their two rooms taken together)."""
    seeds = cells.reshape(-1, 2).mean(axis=1)
    deviation = float(seeds.std(ddof=1)) if seeds.size > 1 else 0.0
    return {"mean": round(float(seeds.mean()), 3), "sd": round(deviation, 3)}


def targets(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was to be shown: value, bound, and whether it is met."""
    real, same = ({row["way"]: row for row in rows} for rows in found["worlds"].values())
    ours, rule = real["ours"], real["threshold"]
    hours = _ratio(ours, rule, "above")
    return {
        "hours above 35, of the tuned threshold's": _bounded(hours, 0.5),
        "energy, of the tuned threshold's": _bounded(_ratio(ours, rule, "energy"), 1.0),
        "exposure, of the oracle's in the matched world": _bounded(
            _ratio(same["ours"], same["oracle"], "exposure"), 1.1
        ),
        "exposure, of the oracle's in the unknown world": _bounded(_ratio(ours, real["oracle"], "exposure")),
        "hours above 35, of a threshold's in school hours": _bounded(
            _ratio(ours, real["threshold in school hours"], "above")
        ),
        "energy, of a threshold's in school hours": _bounded(
            _ratio(ours, real["threshold in school hours"], "energy")
        ),
    }


def _ratio(one: dict[str, Any], other: dict[str, Any], name: str) -> float:
    return float(round(one[name]["mean"] / max(other[name]["mean"], 1e-9), 3))


def _bounded(value: float, most: float | None = None) -> dict[str, Any]:
    return {"value": value, "most": most, "met": None if most is None else value <= most}
