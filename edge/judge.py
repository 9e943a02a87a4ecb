"""The tests that look at one quantity's rows: range, rate of change, spike, flat line; streaming."""

from dataclasses import dataclass

import numpy as np

from edge.bound import Bound
from edge.limits import NEVER
from edge.readings import SECOND, Array, Flag
from edge.track import Tracks
from edge.verdict import Test, Verdict

Owed = tuple[Array, Array]
"""Slots and times [ns] of rows of earlier blocks that turned out to be spikes."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a block in the order of evaluation: their time [ns], slot and longest gap [ns], and the
    positions where each node begins and ends, with its slot."""

    time: Array
    slot: Array
    gap: Array
    first: Array
    last: Array
    node: Array

    @classmethod
    def of(cls, time: Array, slot: Array, gap: Array) -> "Rows":
        """Rows that are sorted by node and time."""
        edges = np.flatnonzero(slot[1:] != slot[:-1])
        first = np.concatenate((np.zeros(1, np.int64), edges + 1))
        last = np.concatenate((edges, np.array([time.size - 1], np.int64)))
        return cls(time, slot, gap, first, last, slot[first])

    def take(self, rows: Array) -> "Rows":
        """Some of the rows, in the same order."""
        return Rows.of(self.time[rows], self.slot[rows], self.gap[rows])


def judge(raw: Array, rows: Rows, bound: Bound, tracks: Tracks, place: Array, verdict: Verdict) -> list[Owed]:
    """Mark what the tests find in `raw` [quantities, rows]; the quantities' lines in `tracks` are `place`,
    and move on. Cells that can't be true, and missing ones, are left out of what comes before or after."""
    possible = (raw >= bound["low"]) & (raw <= bound["high"])
    whole = possible.all(axis=1)
    beyond = (raw < bound["floor"]) | (raw > bound["ceiling"])
    if not whole.all():
        verdict.mark(~possible, Flag.FAIL, Test.RANGE)
        beyond &= possible
    verdict.mark(beyond, Flag.SUSPECT, Test.RANGE)
    full = whole & bound.tracked
    if full.all():
        return [_follow(raw, rows, bound, tracks, place, verdict)]
    lines = np.flatnonzero(full)
    owed = []
    if lines.size:
        taken = bound.take(lines)
        owed.append(_follow(raw[lines], rows, taken, tracks, place[lines], verdict.about(lines)))
    for line in np.flatnonzero(~whole & bound.tracked):
        kept, one = np.flatnonzero(possible[line]), np.array([line])
        if kept.size:
            taken, mine = bound.take(one, kept), verdict.about(one, kept)
            owed.append(_follow(raw[one][:, kept], rows.take(kept), taken, tracks, place[one], mine))
    return owed


def _follow(raw: Array, rows: Rows, bound: Bound, tracks: Tracks, place: Array, verdict: Verdict) -> Owed:
    """The tests that look at the row before; every cell is possible."""
    here = place[:, None], rows.node[None, :]
    value, prior, time, begin = (cells[here] for cells in tracks.arrays())
    before = _before(raw, value, rows.first)
    # One line serves all quantities where their last values have one time, as they mostly have.
    since = rows.time - _before(rows.time, time[0] if (time == time[:1]).all() else time, rows.first)
    near = since <= rows.gap
    size = np.abs(raw - before)
    linked = before if near.all() else np.where(near, before, np.nan)
    owed = np.zeros(0, np.int64), np.zeros(0, np.int64)
    jumped = np.abs(value - prior) > bound.jump
    if jumped.any() or (size > bound.jump).any():
        _rates(size, since, near, bound, verdict)
        ahead = _before(linked, prior, rows.first)
        line, node = _spikes(raw, linked, ahead, rows.first, bound, verdict)
        owed = rows.node[node], time[line, node]
    same = (size == 0) & near
    begun = _begin(same, rows, begin)
    if (
        rows.time[rows.last] - np.where(same[:, rows.first], begin, rows.time[rows.first])
    ).max() >= bound.soonest:
        _flat(raw, rows, same, begin, bound, verdict)
    last = raw[:, rows.last], linked[:, rows.last], rows.time[rows.last], begun
    for kept, cells in zip(tracks.arrays(), last, strict=True):
        kept[here] = cells
    return owed


def _before(cells: Array, remembered: Array, first: Array) -> Array:
    """Each row's cell of its node's row before."""
    before = np.empty((*remembered.shape[:-1], cells.shape[-1]), cells.dtype)
    before[..., 1:] = cells[..., :-1]
    before[..., first] = remembered
    return before


def _rates(size: Array, since: Array, near: Array, bound: Bound, verdict: Verdict) -> None:
    steep = (size > bound["step"]) & near & (since > 0)
    if steep.any():
        verdict.mark(steep & (size > bound["rate"] * (since * 1e-9)), Flag.SUSPECT, Test.RATE)


def _spikes(
    raw: Array, linked: Array, prior: Array, first: Array, bound: Bound, verdict: Verdict
) -> tuple[Array, Array]:
    """Mark the rows that their successors show to be spikes; (quantity, node) of those that stand in an
    earlier block. A neighbour that isn't near is NaN."""
    found = np.abs(linked - (prior + raw) / 2) > bound["spike"]
    line, node = np.nonzero(found[:, first])
    found[:, first] = False
    spikes = np.zeros_like(found)
    spikes[:, :-1] = found[:, 1:]
    verdict.mark(spikes, Flag.SUSPECT, Test.SPIKE)
    return line, node


def _begin(same: Array, rows: Rows, remembered: Array) -> Array:
    """Since when [ns] each node's last value has been the same, given where a row's equals the one before."""
    if not same.any():
        return rows.time[rows.last]
    new = np.where(same, 0, np.arange(same.shape[1]))
    at = np.maximum(np.maximum.reduceat(new, rows.first, axis=1), rows.first)
    return np.where((at == rows.first) & same[:, rows.first], remembered, rows.time[at])


def _flat(raw: Array, rows: Rows, same: Array, remembered: Array, bound: Bound, verdict: Verdict) -> None:
    begin = np.empty(same.shape, np.int64)
    begin[:] = rows.time
    begin[:, rows.first] = np.where(same[:, rows.first], remembered, begin[:, rows.first])
    new = np.where(same, 0, np.arange(same.shape[1]))
    new[:, rows.first] = rows.first
    seconds = (rows.time - np.take_along_axis(begin, np.maximum.accumulate(new, axis=1), axis=1)) / SECOND
    rail = (raw <= bound["rail_low"]) | (raw >= bound["rail_high"])
    suspect = np.where(rail, bound["rail_suspect"], bound["flat_suspect"])
    verdict.mark(seconds >= suspect, Flag.SUSPECT, Test.FLAT)
    verdict.mark(seconds >= np.where(rail, NEVER, bound["flat_fail"]), Flag.FAIL, Test.FLAT)
