"""Quality control of exchange tables: what is found, run by run, and how each device fares."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edge.check import evaluate
from edge.hourly import plausible
from edge.network import Fitted, Network, Node, Placement
from edge.problem import Problem
from edge.quantity import QUANTITIES
from edge.readings import CELLS, SECOND, Array, Clock, Column, Flag, Readings
from edge.verdict import Test
from gateway.table import Table, usual_step

DAY = 86_400
BROKEN = 0.25
SPOKE = tuple(one for one in Test if one < Test.LATE or one > Test.STAGE_FAILED)
"""The tests, in the order in which they are told."""


class NothingToJudge(Problem):
    """A table has no column that quality control knows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows of a device one after the other about which a test spoke: from `start` to `end` [ns], the `worst`
    value among them [unit], and the worst flag."""

    node: str
    quantity: str
    test: str
    flag: int
    start: int
    end: int
    rows: int
    worst: float


@dataclass(frozen=True, slots=True)
class Health:
    """A device's quantity: its rows with a value, how many of them are suspect and how many fail; `broken`:
    for a day or more altogether it said more than can be, or a quarter of its rows are flagged."""

    node: str
    quantity: str
    rows: int
    suspect: int
    fail: int
    broken: bool


def judged(table: Table, sensor: str = "", changes: Mapping[str, float] | None = None) -> Readings:
    """The table's rows with quality control's flags, in the table's order; `sensor` names the row of limits
    (by default a monitor's), `changes` overrides some of them. Raises `NothingToJudge`."""
    names = [name for name in table.numbers if name in QUANTITIES and np.isfinite(table.numbers[name]).any()]
    if not names:
        raise NothingToJudge(
            f"no known quantity among {', '.join(table.numbers)}",
            table.name,
            f"one of {', '.join(QUANTITIES)}",
        )
    readings = _readings(table, names)
    network = _network(table, sensor or "table", changes or {})
    return plausible(evaluate(readings, network), network, quantities=tuple(names))


def _readings(table: Table, names: list[str]) -> Readings:
    """The table's rows: every device's step is what a sample stands for; it knows neither boots nor logs."""
    size, none = len(table), np.zeros(len(table), np.int64)
    code = table.device.code
    dt = np.array([_step(table.time[code == one]) for one in range(len(table.device.names))], np.int64)[code]
    return Readings(
        nodes=table.device.names, cals=("",), node=code.astype(np.int32), log=np.zeros(size, np.uint32),
        seq=np.arange(size), row=none.astype(np.int16), time=table.time, boot=none, up=none, dt=dt,
        hash=none.astype(np.uint64), clock=np.full(size, Clock.OWN, np.uint8), cal=none.astype(np.int32),
        columns={name: Column.of_raw(table.numbers[name]) for name in names},
    )  # fmt: skip


def _step(time: Array) -> int:
    return max(round(usual_step(time) / SECOND), 1)


def _network(table: Table, sensor: str, changes: Mapping[str, float]) -> Network:
    """A network in which every device carries that sensor: rooms and sites as the table names them; devices
    indoors that it names no room for have no neighbours."""
    nodes = {}
    first = int(table.time.min()) if len(table) else 0
    for code, name in enumerate(table.device.names):
        rows = np.flatnonzero(table.device.code == code)
        site, room, placement = (_word(table, column, rows) for column in ("site", "room", "placement"))
        room = room or (f"indoor-{name}" if placement == "indoor" else "")
        place = Placement(first, site, room, placement)
        nodes[name] = Node(name, (place,), (Fitted(first, ((sensor, name),)),), limits=changes)
    return Network("", {}, nodes, {})


def _word(table: Table, column: str, rows: Array) -> str:
    words = table.words.get(column)
    return words.names[words.code[rows[0]]] if words and rows.size else ""


def findings(readings: Readings) -> Iterator[Finding]:
    """What the tests found, by device, quantity and test in the order of time; the equal values before a flat
    line was long enough to be one belong to it."""
    for code, node in enumerate(readings.nodes):
        rows = np.flatnonzero(readings.node == code)
        for quantity, column in readings.columns.items():
            cells = Column(*(getattr(column, name)[rows] for name in CELLS))
            for test in SPOKE:
                spoke = (cells.tests & np.uint32(test)) != 0
                if test == Test.FLAT and spoke.any():
                    spoke = _whole_runs(cells.raw, spoke)
                for begin, end in _runs(spoke & (cells.flag >= Flag.SUSPECT) | (spoke & (test == Test.FLAT))):
                    yield _finding(node, quantity, test, readings.time[rows[begin:end]], cells, begin, end)


def _finding(
    node: str, quantity: str, test: Test, time: Array, cells: Column, begin: int, end: int
) -> Finding:
    raw = cells.raw[begin:end]
    far = int(np.nanargmax(np.abs(raw - np.nanmedian(cells.raw))))
    name, flag = (test.name or "").lower(), int(cells.flag[begin:end].max())
    return Finding(node, quantity, name, flag, int(time[0]), int(time[-1]), end - begin, float(raw[far]))


def _runs(mask: Array) -> list[list[int]]:
    """Beginning and end of each run of rows."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    found: list[list[int]] = edges.reshape(-1, 2).tolist()
    return found


def _whole_runs(raw: Array, flat: Array) -> Array:
    """Flat rows, and the equal values before them."""
    whole = flat.copy()
    for begin, _ in _runs(flat):
        first = begin
        while first and raw[first - 1] == raw[begin]:
            first -= 1
        whole[first:begin] = True
    return whole


def health(readings: Readings) -> Iterator[Health]:
    """How each quantity of each device fares."""
    for code, node in enumerate(readings.nodes):
        rows = readings.node == code
        for quantity, column in readings.columns.items():
            flag = column.flag[rows]
            known = int((flag != Flag.MISSING).sum())
            suspect, fail = int((flag == Flag.SUSPECT).sum()), int((flag == Flag.FAIL).sum())
            if known:
                high = (column.tests[rows] & Test.RANGE != 0) & (column.raw[rows] > 0)
                lasted = int(high.sum()) * int(readings.dt[rows][0]) >= DAY
                broken = lasted or (suspect + fail) > BROKEN * known
                yield Health(node, quantity, known, suspect, fail, broken)
