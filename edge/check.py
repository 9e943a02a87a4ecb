"""Quality control: QARTOD flags and the tests behind them, the same in the stream as in one pass."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from itertools import repeat
from typing import Any

import numpy as np

from edge.assign import Setups
from edge.channels import combine
from edge.limits import GAP, LONGEST_GAP, NEVER, PARAMETERS, WINDOW, Limits, limits
from edge.network import Network
from edge.quantity import QUANTITIES
from edge.readings import UNTIMED, Array, Column, Flag, Readings
from edge.track import CheckState, Track, arrays

__all__ = ["WINDOW", "CheckState", "Test", "Track", "check", "evaluate", "late", "rebuild", "revise"]


class Test(IntFlag):
    """The tests, and the reasons why none was made; the first three speak about a value."""

    __test__ = False  # pytest, this is not yours

    RANGE = 1
    RATE = 2
    FLAT = 4
    LATE = 1 << 8
    UNTIMED = 1 << 9
    NOWHERE = 1 << 10
    STAGE_FAILED = 1 << 11


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a block in the order of evaluation: their time [ns], slot, longest gap [s], setup code, and the
    positions where each node begins and ends."""

    time: Array
    slot: Array
    gap: Array
    setup: Array
    first: Array
    last: Array

    @classmethod
    def of(cls, time: Array, slot: Array, gap: Array, setup: Array) -> "_Rows":
        """Rows that are sorted by node and time."""
        edges = np.flatnonzero(slot[1:] != slot[:-1])
        ends = np.array([time.size - 1], np.int64)
        first, last = np.concatenate((ends * 0, edges + 1)), np.concatenate((edges, ends))
        return cls(time, slot, gap, setup, first, last)

    def take(self, rows: Array) -> "_Rows":
        """Some of the rows, in the same order."""
        return _Rows.of(self.time[rows], self.slot[rows], self.gap[rows], self.setup[rows])


def check(readings: Readings, state: CheckState, network: Network) -> tuple[Readings, CheckState]:
    """Flag a block's rows, and what to remember for the next block.

    Rows that are newer than their node's newest in `state` are evaluated in the order of `Readings.order()`;
    the others, and those without a time or a place, stay UNKNOWN with the reason among their tests, and leave
    the state alone. Rows come back in the order in which they came, and the two channels of a quantity with
    their combination.
    """
    if not len(readings):
        return readings, state
    readings = combine(readings)
    state = state.including(readings.nodes, network)
    setup = Setups.of(network).rows(readings)
    slots = np.fromiter(map(state.slots.get, readings.nodes, repeat(0)), np.int64, len(readings.nodes))
    slot = slots[readings.node]
    reason = _reason(readings, setup, state.newest[slot])
    at = _in_turn(readings, reason)
    gap = np.clip(3.0 * readings.dt, GAP, LONGEST_GAP)
    if at is None:
        rows = _Rows.of(readings.time, slot, gap, setup)
    elif at.size:
        rows = _Rows.of(readings.time[at], slot[at], gap[at], setup[at])
    else:
        return _flagged(readings, {}, at, reason), state
    state = _copied(state, readings)
    bounds = _Bounds.of(network)
    judged = {
        quantity: _judge(column.raw if at is None else column.raw[at], rows, bounds, quantity, state)
        for quantity, column in readings.columns.items()
        if quantity in QUANTITIES
    }
    state.newest[rows.slot[rows.last]] = rows.time[rows.last]
    return _flagged(readings, judged, at, reason), state


def evaluate(readings: Readings, network: Network) -> Readings:
    """One pass over rows from an empty state."""
    return check(readings, CheckState.empty(), network)[0]


def rebuild(tail: Readings, network: Network, newest: Mapping[str, int] | None = None) -> CheckState:
    """The state after a history of which `tail` holds each node's rows from WINDOW before its own newest on.

    `newest` [ns] names the newest time of nodes that `tail` leaves out: older rows that they may still send
    are late, newer ones begin anew, as after a silence of WINDOW.
    """
    state = check(tail, CheckState.empty(), network)[1].including(tuple(newest or ()), network)
    for node, time in (newest or {}).items():
        if node in state.slots:
            state.newest[state.slots[node]] = max(time, state.newest[state.slots[node]])
    return state


def revise(history: Readings, since: int, network: Network) -> tuple[Readings, CheckState]:
    """The catch-up pass: the rows from `since` [ns] on (the oldest late row) whose flags come out otherwise
    than they are stored, and the state after them, to be adopted.

    `history` holds the late nodes' rows from WINDOW before `since` to WINDOW after their newest late row.
    """
    seen, state = check(history, CheckState.empty(), network)
    other = np.zeros(len(seen), bool)
    for name, column in seen.columns.items():
        stored = history.columns.get(name)
        if stored is None:
            other |= column.flag != Flag.ABSENT
        else:
            other |= (column.flag != stored.flag) | (column.tests != stored.tests)
    return seen.take(np.flatnonzero(other & (seen.time >= since))), state


def late(readings: Readings) -> Array:
    """Positions of the rows that a catch-up pass owes an answer: those with a cell that came too late."""
    marks = [column.tests & np.uint32(Test.LATE) for column in readings.columns.values()]
    return np.flatnonzero(np.bitwise_or.reduce(marks)) if marks else np.zeros(0, np.int64)


def _reason(readings: Readings, setup: Array, newest: Array) -> Array | None:
    """Why each row isn't evaluated (0: it is), or None where all are."""
    fresh = readings.time > newest
    if fresh.all() and setup.all():
        return None
    late = np.where(fresh, 0, Test.LATE)
    nowhere = np.where(setup == 0, Test.NOWHERE, late)
    return np.where(readings.time == UNTIMED, Test.UNTIMED, nowhere).astype(np.uint32)


def _in_turn(readings: Readings, reason: Array | None) -> Array | None:
    """Positions of the rows to evaluate in their order, or None: all, and they stand in it."""
    node, time = readings.node, readings.time
    ahead = (node[1:] > node[:-1]) | ((node[1:] == node[:-1]) & (time[1:] > time[:-1]))
    if ahead.all():
        return None if reason is None else np.flatnonzero(reason == 0)
    order = readings.order()
    return order if reason is None else order[reason[order] == 0]


def _copied(state: CheckState, readings: Readings) -> CheckState:
    size = state.newest.size
    names = [name for name in readings.columns if name in QUANTITIES]
    known = state.tracks
    fresh = {name: known[name].grown(size) if name in known else Track.blank(size) for name in names}
    return CheckState(state.slots, state.newest.copy(), {**state.tracks, **fresh})


def _flagged(
    readings: Readings, judged: Mapping[str, tuple[Array, Array]], at: Array | None, reason: Array | None
) -> Readings:
    columns = {}
    for quantity, column in readings.columns.items():
        if quantity not in QUANTITIES:
            continue
        flag, tests = judged.get(quantity, (np.zeros(0, np.uint8), np.zeros(0, np.uint32)))
        if at is not None:
            rows_flag = np.full(len(readings), Flag.UNKNOWN, np.uint8)
            rows_tests = np.zeros(len(readings), np.uint32) if reason is None else reason.copy()
            if flag.size:
                rows_flag[at], rows_tests[at] = flag, tests
            flag, tests = rows_flag, rows_tests
        gone = np.isnan(column.raw)
        if gone.any():
            absent = column.flag == Flag.ABSENT
            flag[gone] = np.where(absent[gone], Flag.ABSENT, Flag.MISSING)
            tests[gone] = 0
        columns[quantity] = Column(column.raw, column.value, column.u, flag, tests)
    return readings.with_columns(columns)


@dataclass(frozen=True, slots=True)
class _Bound:
    """`Limits` of a block's rows: numbers, or arrays with one per row; `soonest` [s]: the shortest run of
    equal values that matters, `tracked`: whether any test looks back."""

    low: Any
    high: Any
    floor: Any
    ceiling: Any
    step: Any
    rate: Any
    flat_suspect: Any
    flat_fail: Any
    rail_low: Any
    rail_high: Any
    rail_suspect: Any
    soonest: float
    tracked: bool

    @classmethod
    def of(cls, kinds: Sequence[Limits], cells: Iterable[Any]) -> "_Bound":
        """The bound that holds these parameters of rows of these kinds."""
        soonest = min(min(kind.flat_suspect, kind.flat_fail, kind.rail_suspect) for kind in kinds)
        tracked = soonest < NEVER or any(kind.step < NEVER for kind in kinds)
        named: dict[str, Any] = dict(zip(PARAMETERS, cells, strict=True))
        return cls(**named, soonest=soonest, tracked=tracked)

    def take(self, rows: Array) -> "_Bound":
        """The limits of some of the rows."""
        if isinstance(self.low, float):
            return self
        return replace(self, **{name: getattr(self, name)[rows] for name in PARAMETERS})


class _Bounds:
    """The limits of each setup of a network, by quantity."""

    def __init__(self, network: Network) -> None:
        self._setups = Setups.of(network).table
        self._kinds: dict[str, tuple[Array, Array, list[_Bound], _Bound]] = {}

    @classmethod
    def of(cls, network: Network) -> "_Bounds":
        if cls not in network.derived:
            network.derived[cls] = cls(network)
        bounds: _Bounds = network.derived[cls]
        return bounds

    def at(self, quantity: str, setup: Array) -> _Bound:
        """The limits of rows, one number for all where they are the same."""
        codes, table, single, every = self._kinds.get(quantity) or self._learn(quantity)
        if len(single) == 1:
            return single[0]
        kinds = codes[setup]
        first = int(kinds.min())
        if first == kinds.max():
            return single[first]
        varied: _Bound = replace(every, **dict(zip(PARAMETERS, table[:, kinds], strict=True)))
        return varied

    def _learn(self, quantity: str) -> tuple[Array, Array, list[_Bound], _Bound]:
        kinds: dict[Limits, int] = {}
        codes = []
        for setup in self._setups:
            sensor = setup.sensor(quantity)
            changes = setup.node.limits if setup.node else {}
            codes.append(kinds.setdefault(limits(sensor[0] if sensor else "", quantity, changes), len(kinds)))
        rows = [[float(getattr(kind, name)) for name in PARAMETERS] for kind in kinds]
        table = np.array(rows, np.float64).T
        single = [_Bound.of([kind], row) for kind, row in zip(kinds, rows, strict=True)]
        self._kinds[quantity] = np.array(codes, np.int64), table, single, _Bound.of(list(kinds), table)
        return self._kinds[quantity]


def _judge(raw: Array, rows: _Rows, bounds: _Bounds, quantity: str, state: CheckState) -> tuple[Array, Array]:
    """Flags and tests of one quantity's rows; its track in `state` moves on."""
    bound = bounds.at(quantity, rows.setup)
    flag = np.full(raw.size, Flag.GOOD, np.uint8)
    tests = np.zeros(raw.size, np.uint32)
    possible = (raw >= bound.low) & (raw <= bound.high)
    kept: Array | None = None
    if not possible.all():
        flag[~possible] = Flag.FAIL
        tests[~possible] = Test.RANGE
        kept = np.flatnonzero(possible)
        if not kept.size:
            return flag, tests
        raw, rows, bound = raw[kept], rows.take(kept), bound.take(kept)
    mark = _Marks(flag, tests, kept)
    mark((raw < bound.floor) | (raw > bound.ceiling), Flag.SUSPECT, Test.RANGE)
    if not bound.tracked:
        return flag, tests
    track = state.tracks[quantity]
    change, since = _before(raw, track.value, rows), _before(rows.time, track.time, rows)
    seconds = since * 1e-9
    near = seconds <= rows.gap
    steep = np.abs(change) > np.maximum(bound.step, bound.rate * seconds)
    mark(steep & near & (since > 0), Flag.SUSPECT, Test.RATE)
    begin = _begin(near & (change == 0), rows, track)
    _flat(raw, (rows.time - begin) * 1e-9, bound, mark)
    for kept_cells, cells in zip(arrays(track), (raw, rows.time, begin), strict=True):
        kept_cells[rows.slot[rows.last]] = cells[rows.last]
    return flag, tests


class _Marks:
    """Writes a test's finding into flags and tests; a worse flag stays."""

    def __init__(self, flag: Array, tests: Array, kept: Array | None) -> None:
        self._flag, self._tests, self._kept = flag, tests, kept

    def __call__(self, found: Array, flag: Flag, test: Test) -> None:
        if not found.any():
            return
        rows = np.flatnonzero(found) if self._kept is None else self._kept[found]
        self._flag[rows] = np.maximum(self._flag[rows], flag)
        self._tests[rows] |= np.uint32(test)


def _before(cells: Array, remembered: Array, rows: _Rows) -> Array:
    """Each cell less its node's cell before."""
    before = np.empty_like(cells)
    before[1:] = cells[:-1]
    before[rows.first] = remembered[rows.slot[rows.first]]
    return cells - before


def _begin(same: Array, rows: _Rows, track: Track) -> Array:
    """Since when [ns] each row's value has been the same, given where it equals the one before."""
    if not same.any():
        return rows.time
    begins = ~same
    begins[rows.first] = True
    begin = rows.time.copy()
    carried = rows.first[same[rows.first]]
    begin[carried] = track.begin[rows.slot[carried]]
    return begin[np.maximum.accumulate(np.where(begins, np.arange(begins.size), 0))]


def _flat(raw: Array, still: Array, bound: _Bound, mark: _Marks) -> None:
    if still.max() < bound.soonest:
        return
    rail = (raw <= bound.rail_low) | (raw >= bound.rail_high)
    mark(still >= np.where(rail, bound.rail_suspect, bound.flat_suspect), Flag.SUSPECT, Test.FLAT)
    mark(still >= np.where(rail, NEVER, bound.flat_fail), Flag.FAIL, Test.FLAT)
