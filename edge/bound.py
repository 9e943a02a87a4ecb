"""The limits of a block's rows, worked out once per network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edge.assign import Setups
from edge.limits import NEVER, PARAMETERS, Limits, limits
from edge.network import Network
from edge.readings import Array

_WITHIN = ("step", "spike", "flat_suspect", "flat_fail", "rail_suspect")
"""The parameters of tests that look at other rows of the same quantity."""
_STILL = ("flat_suspect", "flat_fail", "rail_suspect")


@dataclass(frozen=True, slots=True)
class Bound:
    """`Limits` of quantities by rows: `cells` by parameter, each [quantities, rows] or, where the same holds
    for all rows, [quantities, 1]; `tracked` quantities have tests that look at other rows; `soonest` [ns] is
    the shortest run of equal values that matters, `jump` the smallest change; `warm` [s] and `blank` the most
    of any."""

    cells: Mapping[str, Array]
    tracked: Array
    soonest: float
    jump: Array
    warm: float
    blank: bool

    def __getitem__(self, parameter: str) -> Array:
        return self.cells[parameter]

    def take(self, lines: Array, rows: Array | None = None) -> "Bound":
        """The limits of some of the quantities and rows."""
        cells = {name: _taken(array, lines, rows) for name, array in self.cells.items()}
        return replace(self, cells=cells, tracked=self.tracked[lines], jump=self.jump[lines])


def _taken(cells: Array, lines: Array, rows: Array | None) -> Array:
    some = cells[lines]
    return some if rows is None or some.shape[1] == 1 else some[:, rows]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The limits of some quantities: a kind per quantity and setup, and for each parameter that isn't the
    same everywhere its value by quantity and kind."""

    kinds: Array
    varying: Mapping[str, Array]
    bound: Bound


class Bounds:
    """The limits of each setup of a network, by quantity."""

    def __init__(self, network: Network) -> None:
        self._setups = Setups.of(network)
        self._known: dict[str, tuple[Array, list[Limits]]] = {}
        self._plans: dict[tuple[str, ...], _Plan] = {}

    @classmethod
    def of(cls, network: Network) -> "Bounds":
        """The network's limits."""
        if cls not in network.derived:
            network.derived[cls] = cls(network)
        bounds: Bounds = network.derived[cls]
        return bounds

    def at(self, quantities: tuple[str, ...], setup: Array) -> Bound:
        """The limits of these quantities in rows of these setups."""
        plan = self._plans.get(quantities) or self._plan(quantities)
        if not plan.varying:
            return plan.bound
        kinds = plan.kinds[:, setup]
        line = np.arange(len(quantities))[:, None]
        varied = {name: table[line, kinds] for name, table in plan.varying.items()}
        return replace(plan.bound, cells={**plan.bound.cells, **varied})

    def _plan(self, quantities: tuple[str, ...]) -> _Plan:
        known = [self._known.get(name) or self._learn(name) for name in quantities]
        most = max(len(kinds) for _, kinds in known)
        tables = {
            name: np.array([_padded([getattr(kind, name) for kind in kinds], most) for _, kinds in known])
            for name in PARAMETERS
        }
        self._plans[quantities] = _Plan(
            np.array([codes for codes, _ in known]),
            {name: table for name, table in tables.items() if (table != table[:, :1]).any()},
            Bound(
                {name: table[:, :1] for name, table in tables.items()},
                np.array([min(tables[name][line].min() for name in _WITHIN) for line in range(len(known))])
                < NEVER,
                min(float(tables[name].min()) for name in _STILL) * 1e9,
                np.minimum(tables["step"], tables["spike"]).min(axis=1)[:, None],
                float(tables["warm"].max()),
                bool(tables["blank"].any()),
            ),
        )
        return self._plans[quantities]

    def _learn(self, quantity: str) -> tuple[Array, list[Limits]]:
        """The kind of limits of each setup, and the kinds."""
        kinds: dict[Limits, int] = {}
        found: dict[tuple[str, tuple[tuple[str, float], ...]], int] = {}
        codes = [0]  # rows that are nowhere aren't judged, and make no kind of their own
        pairs = zip(self._setups.table, self._setups.sensors(quantity), strict=True)
        for setup, sensor in list(pairs)[1:]:
            changes = setup.node.limits if setup.node else {}
            key = sensor[0] if sensor else "", tuple(changes.items())
            if key not in found:
                found[key] = kinds.setdefault(limits(key[0], quantity, changes), len(kinds))
            codes.append(found[key])
        if not kinds:
            kinds[limits("", quantity, {})] = 0
        self._known[quantity] = np.array(codes, np.int16), list(kinds)
        return self._known[quantity]


def _padded(values: list[float], size: int) -> list[float]:
    return [*values, *values[:1] * (size - len(values))]
