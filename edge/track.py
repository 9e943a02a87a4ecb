"""What quality control remembers of each node between blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.network import Network
from edge.readings import UNTIMED, Array

_LONG_AGO = -(2**62)
"""The time [ns] of a value that isn't there: no time minus it overflows, and all gaps to it are too long."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """By quantity (`place` says which line) and slot: the last possible `value`, the one before it (`prior`,
    NaN where a silence lies between), its `time` [ns], and since when [ns] it has been the same (`begin`)."""

    place: Mapping[str, int]
    value: Array
    prior: Array
    time: Array
    begin: Array

    @classmethod
    def blank(cls, quantities: Sequence[str], slots: int) -> "Tracks":
        """Tracks without a value."""
        shape = len(quantities), slots
        nan, never = np.full(shape, np.nan), np.full(shape, _LONG_AGO)
        return cls({name: at for at, name in enumerate(quantities)}, nan, nan.copy(), never, never.copy())

    def grown(self, quantities: Sequence[str], slots: int) -> "Tracks":
        """A copy that has lines for these quantities too, and at least so many slots."""
        names = [*self.place, *(name for name in quantities if name not in self.place)]
        lines, known = self.value.shape
        if len(names) == lines and slots <= known:
            return Tracks(self.place, *(cells.copy() for cells in self.arrays()))
        more = Tracks.blank(names, max(slots, known))
        for cells, own in zip(more.arrays(), self.arrays(), strict=True):
            cells[:lines, :known] = own
        return more

    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """Values, priors, times and beginnings."""
        return self.value, self.prior, self.time, self.begin


@dataclass(frozen=True, slots=True)
class Clocks:
    """Per slot, of its newest row: which boot of which log wrote it, and that boot's `start` [ns UTC], the
    sample's time less its uptime."""

    boot: Array
    start: Array

    @classmethod
    def blank(cls, slots: int) -> "Clocks":
        """No rows; boot 0 is nobody's."""
        return cls(np.zeros(slots, np.int64), np.zeros(slots, np.int64))

    def grown(self, slots: int) -> "Clocks":
        """A copy that has at least so many slots."""
        more = np.zeros(max(slots - self.boot.size, 0), np.int64)
        return Clocks(np.concatenate((self.boot, more)), np.concatenate((self.start, more)))


@dataclass(frozen=True, slots=True)
class CheckState:
    """What quality control remembers: each node's slot (0 is nobody's), the newest time [ns] per slot, its
    clock, and tracks by quantity. Never changed in place: a block that can't be stored leaves no trace.

    `owed` names rows of earlier blocks, by node and time [ns], of which this block's rows have shown that
    they were spikes: a catch-up pass gives them their final flags.
    """

    slots: Mapping[str, int]
    newest: Array
    clocks: Clocks
    tracks: Tracks
    owed: tuple[tuple[str, int], ...] = ()

    @classmethod
    def empty(cls) -> "CheckState":
        """The state before the first sample."""
        return cls({}, np.full(1, UNTIMED), Clocks.blank(1), Tracks.blank((), 1))

    def including(self, nodes: tuple[str, ...], network: Network) -> "CheckState":
        """A state that has a slot for each of these nodes that the network knows."""
        new = [node for node in nodes if node not in self.slots and node in network.nodes]
        if not new:
            return self
        slots = {**self.slots, **{node: self.newest.size + place for place, node in enumerate(new)}}
        newest = np.concatenate((self.newest, np.full(len(new), UNTIMED)))
        return replace(self, slots=slots, newest=newest)

    def copied(self, quantities: Sequence[str]) -> "CheckState":
        """A copy to write a block's outcome into, with lines for its quantities."""
        size = self.newest.size
        clocks, tracks = self.clocks.grown(size), self.tracks.grown(quantities, size)
        return CheckState(self.slots, self.newest.copy(), clocks, tracks)

    def adopt(self, other: "CheckState") -> "CheckState":
        """This state with the nodes of `other` that have come at least as far there."""
        slots = {**self.slots}
        for name in other.slots:
            slots.setdefault(name, len(slots) + 1)
        size = len(slots) + 1
        newest = np.concatenate((self.newest, np.full(size - self.newest.size, UNTIMED)))
        names = list(other.slots)
        source = np.array([other.slots[name] for name in names], np.int64)
        target = np.array([slots[name] for name in names], np.int64)
        ahead = other.newest[source] >= newest[target]
        source, target = source[ahead], target[ahead]
        newest[target] = other.newest[source]
        mine, theirs = self.clocks.grown(size), other.clocks.grown(other.newest.size)
        mine.boot[target], mine.start[target] = theirs.boot[source], theirs.start[source]
        return CheckState(slots, newest, mine, self._followed(other, source, target, size), self.owed)

    def _followed(self, other: "CheckState", source: Array, target: Array, size: int) -> Tracks:
        mine = self.tracks.grown(tuple(other.tracks.place), size)
        theirs = other.tracks.grown(tuple(mine.place), other.newest.size)
        lines = np.array([theirs.place[name] for name in mine.place], np.int64)[:, None]
        for kept, taken in zip(mine.arrays(), theirs.arrays(), strict=True):
            kept[:, target] = taken[lines, source]
        return mine
