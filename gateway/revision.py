"""Samples judged anew: as one pass over the sorted data would, what comes out otherwise, and what that leaves
behind in InfluxDB."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge.assign import placed
from edge.calibrate import correct
from edge.check import AHEAD, REACH, WINDOW, CheckState, check, hours_kept
from edge.correction.memory import Memory
from edge.network import Network
from edge.readings import CELLS, SECOND, Array, Column, Flag, Readings
from gateway.archive import HOUR
from gateway.history import History
from gateway.line import SPREAD

WINDOW_NS, AHEAD_NS, REACH_NS = WINDOW * SECOND, AHEAD * SECOND, REACH * SECOND
DAY_HOURS = 24
NODE_HOURS = 2000
"""How much is judged at once: hours times nodes, at most a day; at 10 s some 700,000 rows."""

Advance = Callable[[int, int], None]
"""Called with the time [ns] that has been dealt with and the time to be dealt with."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time [ns, ns) in which a node's samples are judged anew."""

    node: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Judge:
    """What quality control and calibration remember."""

    state: CheckState
    memory: Memory

    @classmethod
    def new(cls) -> "Judge":
        """Before the first sample."""
        return cls(CheckState.empty(), Memory.empty())


@dataclass(frozen=True, slots=True)
class Revision:
    """Rows as the new network has them, and which points these leave behind: (node, first, last [ns]); all
    of them lie before `until` [ns]."""

    rows: Readings
    gone: list[tuple[str, int, int]]
    moved: int
    until: int

    @property
    def counts(self) -> dict[str, int]:
        """Its rows by node."""
        codes, counts = np.unique(self.rows.node, return_counts=True)
        return {self.rows.nodes[code]: n for code, n in zip(codes.tolist(), counts.tolist(), strict=True)}

    @property
    def header(self) -> bytes:
        """The header of the block that holds it."""
        return json.dumps({"gone": self.gone}).encode() if self.gone else b""


def revisions(
    history: History, old: Network, new: Network, concerned: Sequence[Stretch], advance: Advance
) -> Iterator[Revision]:
    """The rows that differ, piece by piece in the order of time; what is remembered goes along."""
    if not concerned:
        return
    judge = Judge.new()
    begin = min(one.start for one in concerned) - REACH_NS
    end = max(one.end for one in concerned)
    span = HOUR * max(1, min(DAY_HOURS, NODE_HOURS // len(concerned)))
    for start in range(begin // HOUR * HOUR, end, span):
        stop = min(start + span, end)
        nodes = {one.node for one in concerned if one.start - REACH_NS < stop and one.end > start}
        rows = history.read(start, stop + AHEAD_NS, nodes) if nodes else Readings.empty()
        inside = rows.time < stop
        if inside.any():
            # The rows behind a piece say which of its last are spikes; they are judged in the next one.
            stored, judged = rows.take(inside), judge_again(rows, judge, new)[0].take(inside)
            yield _revision(stored, judged, old, new, concerned, stop)
            _, judge = judge_again(stored, judge, new)
        advance(stop - begin, end - begin)


def judge_again(rows: Readings, judge: Judge, network: Network) -> tuple[Readings, Judge]:
    """Stored rows as quality control and calibration find them now, and what they remember then."""
    flagged, state = check(rows, judge.state, network)
    judged, memory = correct(hours_kept(rows, flagged), judge.memory, network)
    return judged, Judge(state, memory)


def _revision(
    stored: Readings,
    judged: Readings,
    old: Network,
    new: Network,
    concerned: Sequence[Stretch],
    until: int,
) -> Revision:
    was, now = _place(stored, old), _place(judged, new)
    due = _within(stored, concerned)
    moved = (was != now) & due
    changed = (moved | differing(stored, judged)) & due
    left = (moved | fallen(stored, judged)) & changed & (was != "")
    return Revision(judged.take(np.flatnonzero(changed)), _gone(stored, left), int(moved.sum()), until)


def _place(rows: Readings, network: Network) -> Array:
    """The tags that a row's place gives it, empty where its node stood nowhere."""
    codes, places = placed(rows, network)
    return np.array([f"{p.site}/{p.room}/{p.placement}" if p else "" for p in places], object)[codes]


def _within(rows: Readings, concerned: Sequence[Stretch]) -> Array:
    spans = {one.node: (one.start, one.end) for one in concerned}
    bounds = np.array([spans.get(node, (0, 0)) for node in rows.nodes], np.int64)[rows.node]
    return np.asarray((rows.time >= bounds[:, 0] - AHEAD_NS) & (rows.time < bounds[:, 1]))


def differing(stored: Readings, judged: Readings) -> Array:
    """Mask of the rows whose values, flags or calibration aren't what they were."""
    cals = np.array(stored.cals or ("",), object)[stored.cal]
    other = cals != np.array(judged.cals or ("",), object)[judged.cal]
    for name, column in judged.columns.items():
        before = stored.columns.get(name) or Column.absent(len(stored))
        for cell in CELLS:
            a, b = getattr(before, cell), getattr(column, cell)
            other |= (a != b) & ((a == a) | (b == b))  # two NaN are the same
    return np.asarray(other, bool)


def fallen(stored: Readings, judged: Readings) -> Array:
    """Mask of the rows of which a value that was written to InfluxDB is none any more: what is written over
    a point keeps the fields that it doesn't have."""
    gone = np.zeros(len(stored), bool)
    for name, column in judged.columns.items():
        before = stored.columns.get(name)
        if before is not None:
            for cell in ("raw", "value", "u"):
                gone |= _written(before, cell) & ~_written(column, cell)
    return gone


def _written(column: Column, cell: str) -> Array:
    measured = (column.flag != Flag.MISSING) & (column.flag != Flag.ABSENT)
    return np.asarray(measured & np.isfinite(getattr(column, cell)))


def _gone(rows: Readings, left: Array) -> list[tuple[str, int, int]]:
    """Runs of points that leave their place, by node: between the first and the last stands no other."""
    stamps = rows.time + rows.seq % SPREAD
    runs = []
    for code in np.unique(rows.node[left]).tolist():
        own = np.flatnonzero(rows.node == code)
        own = own[np.argsort(stamps[own], kind="stable")]
        edges = np.flatnonzero(np.diff(left[own].astype(np.int8), prepend=0, append=0))
        for first, end in edges.reshape(-1, 2).tolist():
            runs.append((rows.nodes[code], int(stamps[own[first]]), int(stamps[own[end - 1]])))
    return runs
