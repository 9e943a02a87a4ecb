"""Entries that change the past: what they concern is judged anew and put in force in one step."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np

from edge.assign import Setup, Setups, placed
from edge.calibrate import calibrate
from edge.check import AHEAD, REACH, WINDOW, CheckState, check, hours_kept
from edge.network import Network
from edge.readings import CELLS, SECOND, Array, Column, Readings
from gateway.archive import HOUR
from gateway.block import Draft
from gateway.drafts import readings_draft
from gateway.history import History
from gateway.journal import Journal
from gateway.line import SPREAD

WINDOW_NS, AHEAD_NS, REACH_NS = WINDOW * SECOND, AHEAD * SECOND, REACH * SECOND
DAY_HOURS = 24
NODE_HOURS = 2000
"""How much is judged at once: hours times nodes, at most a day; at 10 s some 700,000 rows."""

Advance = Callable[[int, int], None]
"""Called with the time [ns] that has been dealt with and the time to be dealt with."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time [ns, ns) in which two networks say something else about a node."""

    node: str
    start: int
    end: int


@dataclass(slots=True)
class Outcome:
    """What a reassignment rewrites: rows by node, and how many of all change their place."""

    stretches: tuple[Stretch, ...]
    rows: dict[str, int] = field(default_factory=dict)
    moved: int = 0
    blocks: int = 0

    def add(self, rows: Readings, moved: int) -> None:
        """Count a revision."""
        codes, counts = np.unique(rows.node, return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            node = rows.nodes[code]
            self.rows[node] = self.rows.get(node, 0) + count
        self.moved += moved
        self.blocks += 1


# -- what is concerned --------------------------------------------------------------------------------


def stretches(old: Network, new: Network, extent: tuple[int, int]) -> tuple[Stretch, ...]:
    """Where the networks differ within `extent` [ns], one stretch a node from its first difference to the
    last, and as much longer as any test looks back."""
    before, after = _by_node(old), _by_node(new)
    found = (_stretch(node, before.get(node, ()), after.get(node, ())) for node in sorted({*before, *after}))
    first, last = extent
    return tuple(
        Stretch(one.node, max(one.start, first), min(one.end + WINDOW_NS, last + 1))
        for one in found
        if one and one.start <= last and one.end + WINDOW_NS > first
    )


def _by_node(network: Network) -> dict[str, list[Setup]]:
    setups: dict[str, list[Setup]] = {}
    for setup in Setups.of(network).table:
        if setup.node is not None:
            setups.setdefault(setup.node.id, []).append(setup)
    return setups


def _stretch(node: str, before: Sequence[Setup], after: Sequence[Setup]) -> Stretch | None:
    edges = sorted({setup.since for setup in (*before, *after)})
    ends = [*edges[1:], np.iinfo(np.int64).max - WINDOW_NS]
    differ = [
        (since, end)
        for since, end in zip(edges, ends, strict=True)
        if _says(before, since) != _says(after, since)
    ]
    return Stretch(node, differ[0][0], differ[-1][1]) if differ else None


def _says(setups: Sequence[Setup], time: int) -> object:
    """What holds at `time`, however long it has."""
    at = next((setup for setup in reversed(setups) if setup.since <= time), None)
    if at is None or at.placement is None:
        return None
    calibrations = {name: replace(one, since=0) for name, one in at.calibrations.items()}
    return replace(at.placement, since=0), at.sensors, calibrations


# -- judging it anew ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Revision:
    """Rows as the new network has them, and which points these leave behind: (node, first, last [ns])."""

    rows: Readings
    gone: list[tuple[str, int, int]]
    moved: int


def revisions(
    history: History, old: Network, new: Network, concerned: Sequence[Stretch], advance: Advance
) -> Iterator[Revision]:
    """The rows that differ, piece by piece in the order of time; the state of quality control goes along."""
    if not concerned:
        return
    state = CheckState.empty()
    begin = min(one.start for one in concerned) - REACH_NS
    end = max(one.end for one in concerned)
    span = HOUR * max(1, min(DAY_HOURS, NODE_HOURS // len(concerned)))
    for start in range(begin // HOUR * HOUR, end, span):
        stop = min(start + span, end)
        nodes = {one.node for one in concerned if one.start - REACH_NS < stop and one.end > start}
        ahead = history.read(start, stop + AHEAD_NS, nodes) if nodes else Readings.empty()
        inside = ahead.time < stop
        stored = ahead.take(inside)
        if len(stored):
            # The rows behind a piece say which of its last are spikes; they are judged in the next one.
            judged = hours_kept(ahead, check(ahead, state, new)[0]).take(inside)
            _, state = check(stored, state, new)
            yield _revision(stored, calibrate(judged, new), old, new, concerned)
        advance(stop - begin, end - begin)


def _revision(
    stored: Readings, judged: Readings, old: Network, new: Network, concerned: Sequence[Stretch]
) -> Revision:
    was, now = _place(stored, old), _place(judged, new)
    due = _within(stored, concerned)
    moved = (was != now) & due
    changed = np.flatnonzero((moved | differing(stored, judged)) & due)
    return Revision(judged.take(changed), _gone(stored, moved & (was != "")), int(moved.sum()))


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


# -- putting it in force ------------------------------------------------------------------------------


def reassign(
    journal: Journal,
    history: History,
    old: Network,
    new: Network,
    switch: Draft | None,
    at: int,
    advance: Advance = lambda done, all: None,
) -> Outcome:
    """Append the revisions and `switch`, the block of the new version, all or nothing; without `switch` only
    count them. `history` reads through a journal of its own: what is being appended stays out of its sight.
    """
    outcome = Outcome(stretches(old, new, journal.extent() or (0, -1)))
    appending: AbstractContextManager[Callable[[Sequence[Draft]], Collection[int]]]
    appending = nullcontext(lambda drafts: ()) if switch is None else journal.together(at)
    with appending as append:
        for revision in revisions(history, old, new, outcome.stretches, advance):
            if len(revision.rows):
                outcome.add(revision.rows, revision.moved)
                append(readings_draft(revision.rows, at, _header(revision), "revision"))
        append([switch] if switch else [])
    return outcome


def _header(revision: Revision) -> bytes:
    header: Mapping[str, object] = {"gone": revision.gone}
    return json.dumps(header).encode() if revision.gone else b""
