"""Calibration: values with a standard uncertainty from raw ones, as of sample time, by sensor serial."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from edge.assign import Setup, Setups
from edge.correction.memory import Memory, Passing
from edge.correction.serve import modelled
from edge.correction.stream import tracks
from edge.network import Network
from edge.quantity import QUANTITIES
from edge.readings import Array, Column, Readings

IDENTITY = "identity"
"""The `cal` of a row that no calibration touches; a row without a setup has an empty one."""

USUAL_RH, SPREAD_RH = 50.0, 17.0
"""Mean and standard deviation [%] of a humidity that isn't known: anything from 20 to 80."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """The standard uncertainty of an uncalibrated value: the larger of `floor` [unit] and `share` of it."""

    floor: float
    share: float = 0.0


def _bounded(floor: float, share: float = 0.0) -> Doubt:
    """A data sheet's "±floor or ±share" as a rectangular distribution (GUM, JCGM 100:2008, 4.3.7)."""
    return Doubt(floor / sqrt(3), share / sqrt(3))


_PM = {name: _bounded(10.0, 0.10) for name in QUANTITIES if name.startswith("pm")}
_COUNTS = {name: Doubt(50.0, 0.30) for name in QUANTITIES if name.startswith("n")}
_COMMON: Mapping[str, Doubt] = {
    **_PM,
    **_COUNTS,
    "rh": _bounded(6.0),
    "temp": _bounded(0.8),
    "co2": _bounded(50.0, 0.05),
    "pressure": _bounded(1.0),
    "voc": Doubt(0.0, 0.15),
}

# Every row is a default until the sensor is calibrated. Plantower PMS5003/7003, Nova SDS011, Sensirion SPS30,
# SCD4x and SHT40 as their data sheets bound them (recalled, not verified: science.md names none of them);
# counts and `reference`: assumed.
DOUBTS: Mapping[str, Mapping[str, Doubt]] = {
    "sds011": {"pm25": _bounded(10.0, 0.15), "pm10": _bounded(10.0, 0.15)},
    "sps30": {"pm25": _bounded(10.0, 0.10), "pm10": _bounded(25.0, 0.25)},
    "sht4x": {"rh": _bounded(1.8), "temp": _bounded(0.2)},
    "reference": {"pm25": Doubt(2.0, 0.05), "pm10": Doubt(3.0, 0.05), "co2": Doubt(20.0, 0.02)},
}
"""Default uncertainty by sensor type, where it differs from the quantity's common one."""


def default_doubt(sensor: str, quantity: str) -> Doubt:
    """The uncertainty of a quantity as a sensor of that type gives it."""
    return DOUBTS.get(sensor, {}).get(quantity, _COMMON[quantity])


def calibrate(readings: Readings, network: Network) -> Readings:
    """One pass over rows from an empty memory."""
    return correct(readings, Memory.empty(), network)[0]


def correct(readings: Readings, memory: Memory, network: Network) -> tuple[Readings, Memory]:
    """Fill `value`, `u` and `cal` of a block's rows from their raw values, and what to remember for the next.

    value = gain·raw + offset + rh·RH, with the raw RH [%] of the same row; where that is missing, the usual
    one, with its spread added to `u`. Of a fitted model: gain·model + offset; where an input lies outside the
    range that its fit has seen, or is missing, a good value becomes suspect, marked BEYOND, and its `u` is
    twice as large. Masses and counts are at least 0. The rest changes nothing.
    """
    if not len(readings):
        return readings, memory
    codes = Setups.of(network).rows(readings)
    recipes = Recipes.of(network)
    passing = Passing(readings, np.flatnonzero(codes), memory, recipes.tracks) if recipes.tracks else None
    humidity = readings.columns.get("rh")
    columns = {
        name: _applied(column, recipes.at(name, codes), humidity, name)
        for name, column in readings.columns.items()
        if name in QUANTITIES
    }
    for name in recipes.modelled.keys() & columns.keys():
        columns[name] = recipes.modelled[name].over(columns[name], readings, codes, passing)
    named = replace(readings.with_columns(columns), cals=recipes.cals, cal=recipes.cal[codes])
    return named, passing.after() if passing else memory


def covered(new: Network, old: Network) -> bool:
    """Whether what is remembered for `old` is enough for `new`."""
    before = Recipes.of(old).tracks
    return all(before.get(track, 0) == depth for track, depth in Recipes.of(new).tracks.items())


def recalled(tail: Readings, network: Network, newest: Mapping[str, int] | None = None) -> Memory:
    """The memory after a history, as `edge.check.rebuild` has quality control's state."""
    if not Recipes.of(network).tracks:
        return Memory.empty()
    return correct(tail, Memory.empty(), network)[1].told(newest or {})


@dataclass(frozen=True, slots=True)
class Recipe:
    """One correction: numbers, or arrays with one of them per row; `identity`: the value is the raw one in
    all rows, `humid`: it depends on RH in some."""

    gain: float | Array
    offset: float | Array
    rh: float | Array
    floor: float | Array
    share: float | Array
    identity: bool
    humid: bool


def _recipe(gain: float, offset: float, rh: float, floor: float, share: float) -> Recipe:
    return Recipe(gain, offset, rh, floor, share, (gain, offset, rh) == (1, 0, 0), rh != 0)


class Recipes:
    """The corrections of each setup of a network, by quantity, and the name that each setup's rows get."""

    def __init__(self, network: Network) -> None:
        self._setups = Setups.of(network).table
        self.modelled = modelled(self._setups)
        self.tracks = tracks(one for of in self.modelled.values() for one in of.corrections)
        self._tables: dict[str, tuple[Array, Array, list[Recipe]]] = {}
        names: dict[str, int] = {}
        self.cal = np.array([names.setdefault(_name(s), len(names)) for s in self._setups], np.int32)
        self.cals = tuple(names)

    @classmethod
    def of(cls, network: Network) -> "Recipes":
        """The network's recipes, worked out once."""
        if cls not in network.derived:
            network.derived[cls] = cls(network)
        recipes: Recipes = network.derived[cls]
        return recipes

    def at(self, quantity: str, codes: Array) -> Recipe:
        """The correction of a quantity, one for all rows where it is the same."""
        kind, table, single = self._tables.get(quantity) or self._learn(quantity)
        if len(single) == 1:
            return single[0]
        rows = kind[codes]
        first = int(rows.min())
        if first == rows.max():
            return single[first]
        gain, offset, rh, floor, share = table[:, rows]
        humid = bool(rh.any())
        identity = not humid and not offset.any() and bool((gain == 1).all())
        return Recipe(gain, offset, rh, floor, share, identity, humid)

    def _learn(self, quantity: str) -> tuple[Array, Array, list[Recipe]]:
        kinds: dict[tuple[float, float, float, float, float], int] = {}
        codes = [kinds.setdefault(_numbers(setup, quantity), len(kinds)) for setup in self._setups]
        single = [_recipe(*one) for one in kinds]
        self._tables[quantity] = np.array(codes, np.int64), np.array(list(kinds), np.float64).T, single
        return self._tables[quantity]


def _name(setup: Setup) -> str:
    if setup.node is None:
        return ""
    return "+".join(dict.fromkeys(entry.name for entry in setup.calibrations.values())) or IDENTITY


def _numbers(setup: Setup, quantity: str) -> tuple[float, float, float, float, float]:
    sensor = setup.sensor(quantity)
    doubt = default_doubt(sensor[0] if sensor else "", quantity)
    entry = setup.calibrations.get(quantity)
    if entry is None or entry.correction is not None:
        return 1.0, 0.0, 0.0, doubt.floor, doubt.share
    doubt = Doubt(entry.u) if entry.u > 0 else doubt
    return entry.gain, entry.offset, entry.rh, doubt.floor, doubt.share


def _applied(column: Column, recipe: Recipe, humidity: Column | None, name: str) -> Column:
    value, extra = (column.raw, None) if recipe.identity else _corrected(column.raw, recipe, humidity)
    if name.startswith(("pm", "n")):
        value = np.maximum(value, 0.0)
    u = np.maximum(np.abs(value) * recipe.share, recipe.floor)
    return Column(column.raw, value, u if extra is None else np.hypot(u, extra), column.flag, column.tests)


@np.errstate(over="ignore", invalid="ignore")  # an absurd raw value has no corrected one: NaN
def _corrected(raw: Array, recipe: Recipe, humidity: Column | None) -> tuple[Array, Array | None]:
    value = raw * recipe.gain + recipe.offset
    extra = None
    if recipe.humid:
        rh = np.full(raw.size, np.nan) if humidity is None else humidity.raw
        unknown = np.isnan(rh)
        value = value + recipe.rh * np.where(unknown, USUAL_RH, rh)
        extra = np.where(unknown, SPREAD_RH, 0.0) * recipe.rh
    return np.where(np.isfinite(value), value, np.nan), extra
