"""What corrections remember of each node: the means of its last steps, the same however its data came.

A stream of ten seconds sees "the hour before" as the mean of the whole hour before its own, by the 75 % rule.
So the mean over an hour of corrected samples is, for linear terms, the correction of that hour's means.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge.correction.inputs import possible
from edge.readings import SECOND, UNTIMED, Array, Readings

WHOLE = 0.75
"""The share of a step that has to be covered by samples for its mean to count."""
FINE = 65536.0
"""Values are summed as whole parts of their unit divided by this: sums of whole numbers don't depend on their
order, so that no pass over the same samples comes out otherwise, not by the last bit."""

Track = tuple[str, int]
"""A column and the length of its steps [ns]."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The last steps of a column per slot [slots, depth]: their numbers since 1970, Σ value·seconds as whole
    parts, and the seconds covered; step number n stands at place n modulo depth."""

    step: Array
    total: Array
    cover: Array

    @classmethod
    def blank(cls, slots: int, depth: int) -> "Ring":
        """No step of any slot."""
        return cls(np.full((slots, depth), -1), np.zeros((slots, depth)), np.zeros((slots, depth)))

    def grown(self, slots: int) -> "Ring":
        """A copy with at least so many slots."""
        more = Ring.blank(max(slots - len(self.step), 0), self.step.shape[1])
        pairs = ((self.step, more.step), (self.total, more.total), (self.cover, more.cover))
        return Ring(*(np.concatenate(pair) for pair in pairs))

    def at(self, slot: Array, step: Array) -> tuple[Array, Array]:
        """Total and seconds of steps of slots; 0 where they aren't held."""
        place = step % self.step.shape[1]
        held = self.step[slot, place] == step
        return np.where(held, self.total[slot, place], 0.0), np.where(held, self.cover[slot, place], 0.0)

    def put(self, slot: Array, step: Array, total: Array, cover: Array) -> None:
        """Hold these steps from now on."""
        place = step % self.step.shape[1]
        self.step[slot, place], self.total[slot, place], self.cover[slot, place] = step, total, cover


@dataclass(frozen=True, slots=True)
class Memory:
    """Each node's slot (0 is nobody's), its newest time [ns], and a ring per track. Never changed in place: a
    block that can't be stored leaves no trace."""

    slots: Mapping[str, int]
    newest: Array
    rings: Mapping[Track, Ring]

    @classmethod
    def empty(cls) -> "Memory":
        """Before the first sample."""
        return cls({}, np.full(1, UNTIMED), {})

    def including(self, nodes: tuple[str, ...], tracks: Mapping[Track, int]) -> "Memory":
        """A copy with a slot for each of these nodes and a ring of that depth for each of these tracks."""
        new = [node for node in nodes if node not in self.slots]
        slots = {**self.slots, **{node: self.newest.size + place for place, node in enumerate(new)}}
        newest = np.concatenate((self.newest, np.full(len(new), UNTIMED)))
        return Memory(slots, newest, {t: self._ring(t, tracks[t]).grown(newest.size) for t in tracks})

    def _ring(self, track: Track, depth: int) -> Ring:
        ring = self.rings.get(track)
        same = ring is not None and ring.step.shape[1] == depth
        return ring if ring is not None and same else Ring.blank(self.newest.size, depth)

    def told(self, newest: Mapping[str, int]) -> "Memory":
        """This memory, with nodes whose newest time [ns] is known from elsewhere."""
        more = self.including(
            tuple(newest), {track: ring.step.shape[1] for track, ring in self.rings.items()}
        )
        slots = np.array([more.slots[node] for node in newest], np.int64)
        more.newest[slots] = np.maximum(more.newest[slots], np.array(list(newest.values()), np.int64))
        return more

    def adopt(self, other: "Memory") -> "Memory":
        """This memory with the nodes of `other` that have come at least as far there."""
        tracks = {track: ring.step.shape[1] for track, ring in {**other.rings, **self.rings}.items()}
        mine, theirs = self.including(tuple(other.slots), tracks), other.including((), tracks)
        source = np.array(list(theirs.slots.values()), np.int64)
        target = np.array([mine.slots[node] for node in theirs.slots], np.int64)
        ahead = theirs.newest[source] >= mine.newest[target]
        source, target = source[ahead], target[ahead]
        mine.newest[target] = theirs.newest[source]
        for track, ring in mine.rings.items():
            for name in ("step", "total", "cover"):
                getattr(ring, name)[target] = getattr(theirs.rings[track], name)[source]
        return mine


class Passing:
    """A block's rows on their way past a memory: asks it for steps before a row's own, and moves it on.

    `placed` are the rows that stand somewhere; of these, the ones newer than their node's newest count.
    """

    def __init__(
        self, readings: Readings, placed: Array, memory: Memory, tracks: Mapping[Track, int]
    ) -> None:
        self._readings, self._at = readings, placed
        self.memory = memory.including(readings.nodes, tracks)
        slots = map(self.memory.slots.__getitem__, readings.nodes)
        self._slot = np.fromiter(slots, np.int64, len(readings.nodes))
        self._node, self._time = readings.node[placed], readings.time[placed]
        self._fresh = self._time > self.memory.newest[self._slot][self._node]
        self._steps = {step: _Steps(self._node, self._time, step) for _, step in tracks}
        self._sums = {track: self._summed(*track) for track in tracks}
        self._means: dict[tuple[str, int, int], Array] = {}

    def _summed(self, column: str, step: int) -> tuple[Array, Array]:
        groups = self._steps[step]
        cells = self._readings.columns.get(column)
        if cells is None:
            return np.zeros(groups.key.size), np.zeros(groups.key.size)
        raw = possible(column, cells.raw[self._at])
        counts = self._fresh & ~np.isnan(raw)
        lasts = np.minimum(self._readings.dt[self._at], step // SECOND)
        seconds = np.where(counts, lasts, 0).astype(np.float64)
        parts = np.rint(np.where(counts, raw, 0.0) * FINE) * seconds
        return groups.sum(parts), groups.sum(seconds)

    def _of(self, track: Track, node: Array, number: Array, back: int) -> tuple[Array, Array]:
        """Total and seconds of the steps `back` before a track's own pairs (node, number), as remembered and
        as in this block."""
        total, cover = self.memory.rings[track].at(self._slot[node], number - back)
        here = self._sums[track]
        if not back:
            return total + here[0], cover + here[1]
        place, found = self._steps[track[1]].before(back)
        if not found.any():
            return total, cover
        return total + np.where(found, here[0][place], 0.0), cover + np.where(found, here[1][place], 0.0)

    def holds(self, column: str, step: int, steps: int) -> bool:
        """Whether a step that lies so far back is remembered."""
        ring = self.memory.rings.get((column, step))
        return ring is not None and steps < ring.step.shape[1]

    def before(self, column: str, step: int, steps: int) -> Array:
        """The mean of the column in the step that lies `steps` before each row's own; NaN: not known."""
        key = column, step, steps
        if key not in self._means:
            groups = self._steps[step]
            total, cover = self._of((column, step), groups.node, groups.number, steps)
            enough = cover >= WHOLE * (step / SECOND)
            mean = np.where(enough, total / np.maximum(cover, 1.0) / FINE, np.nan)
            self._means[key] = mean[groups.row]
        return self._means[key]

    def after(self) -> Memory:
        """What is remembered once the block is committed."""
        memory = self.memory
        if not self._fresh.any():
            return memory
        node, newest = _latest(self._node[self._fresh], self._time[self._fresh])
        memory.newest[self._slot[node]] = newest
        for track, ring in memory.rings.items():
            groups = self._steps[track[1]]
            total, cover = self._of(track, groups.node, groups.number, 0)
            slot = self._slot[groups.node]
            # An older step must not take the place of a newer one: these stand depth steps apart.
            kept = groups.number > memory.newest[slot] // track[1] - ring.step.shape[1]
            ring.put(slot[kept], groups.number[kept], total[kept], cover[kept])
        return memory


class _Steps:
    """The (node, step) pairs of some rows, sorted: `key` one number each, `row` which of them a row is."""

    def __init__(self, node: Array, time: Array, step: int) -> None:
        number = time // step
        self._base = int(number.min(initial=0)) if number.size else 0
        self._span = int(number.max() - self._base) + 1 if number.size else 1
        key = node.astype(np.int64) * self._span + (number - self._base)
        # Rows of a batch stand together: far fewer runs than rows have to be sorted.
        starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: key.size])
        self.key, of_run = np.unique(key[starts], return_inverse=True)
        self.row = np.repeat(of_run, np.diff(starts, append=key.size))
        self.node, self.number = self.key // self._span, self.key % self._span + self._base

    def sum(self, cells: Array) -> Array:
        """The sum of the rows of each pair."""
        return np.bincount(self.row, cells, self.key.size)

    def before(self, back: int) -> tuple[Array, Array]:
        """Where the same nodes' steps stand that lie `back` before each pair, and whether they do."""
        key = self.key - back
        place = np.minimum(np.searchsorted(self.key, key), max(self.key.size - 1, 0))
        return place, (self.number - back >= self._base) & (self.key[place] == key)


def _latest(node: Array, time: Array) -> tuple[Array, Array]:
    newest = np.full(int(node.max()) + 1, UNTIMED)
    np.maximum.at(newest, node, time)
    known = np.flatnonzero(newest != UNTIMED)
    return known, newest[known]
