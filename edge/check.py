"""Quality control: QARTOD flags and the tests behind them, the same in the stream as in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np

from edge.agree import agree
from edge.assign import Setups
from edge.bound import Bounds
from edge.channels import combine
from edge.judge import Owed, Rows, judge
from edge.limits import AHEAD, CLOCK_STEP, GAP, LONGEST_GAP, REACH, WINDOW
from edge.network import Network
from edge.quantity import QUANTITIES
from edge.readings import SECOND, UNTIMED, Array, Column, Flag, Readings
from edge.track import CheckState
from edge.verdict import HOURLY, Test, Verdict

__all__ = [
    "AHEAD",
    "REACH",
    "WINDOW",
    "CheckState",
    "Test",
    "check",
    "evaluate",
    "hours_kept",
    "late",
    "rebuild",
]


def check(readings: Readings, state: CheckState, network: Network) -> tuple[Readings, CheckState]:
    """Flag a block's rows, and what to remember for the next block.

    Rows that are newer than their node's newest in `state` are evaluated in the order of `Readings.order()`;
    the others, and those without a time or a place, stay UNKNOWN with the reason among their tests, and leave
    the state alone. Rows come back in the order in which they came, and the two channels of a quantity with
    their combination.
    """
    if state.owed:
        state = replace(state, owed=())
    if not len(readings):
        return readings, state
    readings = combine(readings)
    state = state.including(readings.nodes, network)
    setup = Setups.of(network).rows(readings)
    slots = np.fromiter(map(state.slots.get, readings.nodes, repeat(0)), np.int64, len(readings.nodes))
    slot = slots[readings.node]
    reason = _reason(readings, setup, state.newest[slot])
    at = _in_turn(readings, reason)
    names = tuple(name for name in readings.columns if name in QUANTITIES)
    if not names or (at is not None and not at.size):
        return _flagged(readings, names, None, at, reason), state
    state = state.copied(names)
    verdict, owed = _judged(readings, names, slice(None) if at is None else at, slot, setup, network, state)
    if owed:
        state = replace(state, owed=_named(owed, readings.nodes, slots))
    return _flagged(readings, names, verdict, at, reason), state


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


def hours_kept(stored: Readings, judged: Readings) -> Readings:
    """Rows judged anew, with what the tests of whole hours have said about them."""
    columns = {}
    for name, column in judged.columns.items():
        before = stored.columns.get(name)
        said = before.tests & np.uint32(HOURLY) if before is not None else np.zeros(0, np.uint32)
        if said.any():
            flag = np.where(said, np.maximum(column.flag, Flag.SUSPECT), column.flag)
            columns[name] = replace(column, flag=flag, tests=column.tests | said)
    return judged.with_columns(columns) if columns else judged


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


def _judged(
    readings: Readings,
    names: tuple[str, ...],
    at: Array | slice,
    slot: Array,
    setup: Array,
    network: Network,
    state: CheckState,
) -> tuple[Verdict, list[Owed]]:
    """The verdict on the rows `at`, in order, and rows of earlier blocks that they show to be spikes; `state`
    moves on."""
    dt = readings.dt[at]
    gap = np.clip(3 * dt, round(GAP), round(LONGEST_GAP)) * SECOND
    rows = Rows.of(readings.time[at], slot[at], gap)
    raw = np.stack([readings.columns[name].raw[at] for name in names])
    bound = Bounds.of(network).at(names, setup[at])
    verdict = Verdict.good(*raw.shape)
    place = np.array([state.tracks.place[name] for name in names])
    owed = judge(raw, rows, bound, state.tracks, place, verdict)
    uptime = readings.up[at] + readings.row[at] * dt
    own = readings.log[at] != 0  # foreign samples bring no uptime
    agree(names, raw, dt, np.where(own, uptime, WINDOW), bound, verdict)
    boot = (readings.log[at].astype(np.int64) << 31) ^ readings.boot[at]
    moved = _moved(rows, np.where(own, boot, 0), rows.time - uptime * SECOND, state)
    verdict.rows_of(range(len(names)), moved, Flag.SUSPECT, Test.CLOCK)
    state.newest[rows.node] = rows.time[rows.last]
    return verdict, [one for one in owed if one[0].size]


def _moved(rows: Rows, boot: Array, start: Array, state: CheckState) -> Array:
    """Rows before which their boot's clock was moved, or stood still; the clocks in `state` move on."""
    clocks, known = state.clocks, (state.newest, state.clocks.boot, state.clocks.start)
    time, same, begun = (
        _shifted(cells, kept[rows.node], rows.first)
        for cells, kept in zip((rows.time, boot, start), known, strict=True)
    )
    near = (boot == same) & (boot != 0) & (rows.time - time <= LONGEST_GAP * SECOND)
    clocks.boot[rows.node], clocks.start[rows.node] = boot[rows.last], start[rows.last]
    stepped: Array = near & (np.abs(start - begun) > CLOCK_STEP * SECOND)
    return stepped


def _shifted(cells: Array, kept: Array, first: Array) -> Array:
    before = np.empty_like(cells)
    before[1:] = cells[:-1]
    before[first] = kept
    return before


def _named(owed: Sequence[Owed], nodes: tuple[str, ...], slots: Array) -> tuple[tuple[str, int], ...]:
    names = {slot: node for node, slot in zip(nodes, slots.tolist(), strict=True) if slot}
    pairs = (zip(slot.tolist(), time.tolist(), strict=True) for slot, time in owed)
    return tuple(sorted({(names[slot], time) for some in pairs for slot, time in some}))


def _flagged(
    readings: Readings,
    names: tuple[str, ...],
    verdict: Verdict | None,
    at: Array | None,
    reason: Array | None,
) -> Readings:
    columns = {}
    for line, name in enumerate(names):
        column = readings.columns[name]
        if at is None and verdict is not None:
            flag, tests = verdict.flag[line], verdict.tests[line]
        else:
            flag = np.full(len(readings), Flag.UNKNOWN, np.uint8)
            tests = np.zeros(len(readings), np.uint32) if reason is None else reason.copy()
            if verdict is not None:
                flag[at], tests[at] = verdict.flag[line], verdict.tests[line]
        gone = np.isnan(column.raw)
        if gone.any():
            flag[gone] = np.where(column.flag[gone] == Flag.ABSENT, Flag.ABSENT, Flag.MISSING)
            tests[gone] = 0
        columns[name] = Column(column.raw, column.value, column.u, flag, tests)
    return readings.with_columns(columns)
