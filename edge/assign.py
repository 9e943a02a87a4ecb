"""What holds for each row as of its sample time: its node's place, sensors and their calibrations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat

import numpy as np

from edge.network import Calibration, Network, Node, Placement, in_force
from edge.quantity import QUANTITIES
from edge.readings import Array, Readings

_PM = frozenset(name for name in QUANTITIES if name.startswith(("pm", "n")))
_CLIMATE = frozenset({"rh", "temp"})

MEASURES: Mapping[str, frozenset[str]] = {
    "pms5003": _PM,
    "pms7003": _PM,
    "sds011": _PM,
    "sps30": _PM,
    "pm": _PM,
    "scd4x": _CLIMATE | {"co2"},
    "sht4x": _CLIMATE,
    "other": frozenset(QUANTITIES),
    "reference": frozenset(QUANTITIES),
    "table": frozenset(QUANTITIES),
}
"""What each type of sensor measures; `other`: whatever no other sensor of its node does."""

Sensor = tuple[str, str]
"""A sensor's type and serial."""

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Setup:
    """What holds for a node from `since` [ns] until its next setup: place, sensors and their calibrations by
    quantity."""

    since: int
    node: Node | None = None
    placement: Placement | None = None
    sensors: tuple[Sensor, ...] = ()
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    stood: int = 0
    """Since when [ns] it has stood there with these sensors."""

    def sensor(self, quantity: str) -> Sensor | None:
        """The sensor that measures `quantity`: the first one listed whose type can, `other` only where none
        else does."""
        able = (pair for pair in self.sensors if quantity in MEASURES.get(pair[0], ()))
        return min(able, key=lambda pair: pair[0] == "other", default=None)


NOWHERE = Setup(since=_NEVER)
"""The setup of a row without one: unknown node, unknown time, or before the node's first placement."""


class Setups:
    """All setups of a network; a row's code indexes `table`, 0 is `NOWHERE`."""

    def __init__(self, network: Network) -> None:
        self.table: list[Setup] = [NOWHERE]
        self._index: dict[str, int] = {}
        self._sensors: dict[str, tuple[Sensor | None, ...]] = {}
        firsts: list[int] = []
        lasts: list[int] = []
        for node in network.nodes.values():
            first = len(self.table)
            self.table.extend(_setups(node, network))
            if len(self.table) > first:
                self._index[node.id] = len(firsts)
                firsts.append(first)
                lasts.append(len(self.table) - 1)
        self._unknown = len(firsts)
        self._first = np.array([*firsts, 0], np.int64)
        self._last = np.array([*lasts, 0], np.int64)
        self._since = np.array([setup.since for setup in self.table], np.int64)

    @classmethod
    def of(cls, network: Network) -> "Setups":
        """The network's setups, worked out once."""
        if cls not in network.derived:
            network.derived[cls] = cls(network)
        setups: Setups = network.derived[cls]
        return setups

    @cached_property
    def placements(self) -> tuple[Placement | None, ...]:
        """The placement of each code."""
        return tuple(setup.placement for setup in self.table)

    def sensors(self, quantity: str) -> tuple[Sensor | None, ...]:
        """The sensor that measures `quantity`, of each code."""
        if quantity not in self._sensors:
            self._sensors[quantity] = tuple(setup.sensor(quantity) for setup in self.table)
        return self._sensors[quantity]

    def rows(self, readings: Readings) -> Array:
        """The code of each row's setup."""
        found = map(self._index.get, readings.nodes, repeat(self._unknown))
        place = np.fromiter(found, np.int64, len(readings.nodes))
        last = self._last[place]
        codes = last[readings.node]
        earlier = readings.time < self._since[last][readings.node]
        if earlier.any():
            rows = np.flatnonzero(earlier)
            codes[rows] = self._past(place[readings.node[rows]], readings.time[rows])
        return codes

    def _past(self, place: Array, time: Array) -> Array:
        codes = np.zeros(place.size, np.int64)
        for node in np.unique(place[place != self._unknown]):
            rows = np.flatnonzero(place == node)
            first = self._first[node]
            entry = np.searchsorted(self._since[first : self._last[node] + 1], time[rows], side="right")
            codes[rows] = np.where(entry > 0, first + entry - 1, 0)
        return codes


def _setups(node: Node, network: Network) -> Iterable[Setup]:
    if not node.placements:
        return
    begin = node.placements[0].since
    sensors = {pair for fitted in node.fitted for pair in fitted.sensors}
    dated = {place.since for place in node.placements} | {fitted.since for fitted in node.fitted}
    dated |= {
        entry.since
        for kind, serial in sensors
        for quantity in (MEASURES.get(kind, ()) if network.calibrations else ())
        for entries in network.served((kind, serial), quantity)
        for entry in entries
    }
    for since in sorted({max(time, begin) for time in dated}):
        yield _setup(node, since, network)


def _setup(node: Node, since: int, network: Network) -> Setup:
    fitted = in_force(node.fitted, since)
    bare = Setup(since, node, in_force(node.placements, since), fitted.sensors if fitted else ())
    calibrations = {}
    for quantity in QUANTITIES:
        sensor = bare.sensor(quantity) if network.calibrations else None
        served = network.served(sensor, quantity) if sensor else ()
        if entry := next(filter(None, (in_force(entries, since) for entries in served)), None):
            calibrations[quantity] = entry
    stood = max(at.since for at in (bare.placement, fitted) if at) if bare.placement else 0
    return Setup(since, node, bare.placement, bare.sensors, calibrations, stood)


def placed(readings: Readings, network: Network) -> tuple[Array, tuple[Placement | None, ...]]:
    """Where each row's node stood: a code per row, and the placement of each code (None: nowhere)."""
    setups = Setups.of(network)
    return setups.rows(readings), setups.placements


def measured_by(
    readings: Readings, network: Network, quantity: str
) -> tuple[Array, tuple[Sensor | None, ...]]:
    """The sensor behind each row's `quantity`: a code per row, and the sensor of each code."""
    setups = Setups.of(network)
    return setups.rows(readings), setups.sensors(quantity)
