"""Entries that change the past: what they concern is judged anew and put in force in one step."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np

from edge.assign import Setup, Setups
from edge.network import Network
from gateway.block import Draft
from gateway.drafts import readings_draft
from gateway.history import History
from gateway.journal import Journal
from gateway.revision import WINDOW_NS, Advance, Revision, Stretch, revisions


@dataclass(slots=True)
class Outcome:
    """What a reassignment rewrites: rows by node, and how many of all change their place."""

    stretches: tuple[Stretch, ...]
    rows: Counter[str] = field(default_factory=Counter)
    moved: int = 0
    blocks: int = 0

    def add(self, one: Revision) -> None:
        """Count a revision."""
        self.rows.update(one.counts)
        self.moved += one.moved
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
                outcome.add(revision)
                append(readings_draft(revision.rows, at, revision.header, "revision"))
        append([switch] if switch else [])
    return outcome
