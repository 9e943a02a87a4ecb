"""What quality control remembers of each node between blocks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge.network import Network
from edge.readings import UNTIMED, Array

_LONG_AGO = -(2**62)
"""The time [ns] of a value that isn't there: no time minus it overflows, and all gaps to it are too long."""


@dataclass(frozen=True, slots=True)
class Track:
    """A quantity's last possible value per slot, its time [ns], and since when [ns] it has been the same."""

    value: Array
    time: Array
    begin: Array

    @classmethod
    def blank(cls, slots: int) -> "Track":
        """Tracks without a value."""
        return cls(np.full(slots, np.nan), np.full(slots, _LONG_AGO), np.full(slots, _LONG_AGO))

    def grown(self, slots: int) -> "Track":
        """A copy that has at least so many slots."""
        if slots <= self.time.size:
            return Track(self.value.copy(), self.time.copy(), self.begin.copy())
        more = Track.blank(slots - self.time.size)
        return Track(
            np.concatenate((self.value, more.value)),
            np.concatenate((self.time, more.time)),
            np.concatenate((self.begin, more.begin)),
        )


@dataclass(frozen=True, slots=True)
class CheckState:
    """What quality control remembers: each node's slot (0 is nobody's), the newest time [ns] per slot, and a
    track per quantity. Never changed in place: a block that can't be stored leaves no trace."""

    slots: Mapping[str, int]
    newest: Array
    tracks: Mapping[str, Track]

    @classmethod
    def empty(cls) -> "CheckState":
        """The state before the first sample."""
        return cls({}, np.full(1, UNTIMED), {})

    def including(self, nodes: tuple[str, ...], network: Network) -> "CheckState":
        """A state that has a slot for each of these nodes that the network knows."""
        new = [node for node in nodes if node not in self.slots and node in network.nodes]
        if not new:
            return self
        slots = {**self.slots, **{node: self.newest.size + place for place, node in enumerate(new)}}
        newest = np.concatenate((self.newest, np.full(len(new), UNTIMED)))
        return CheckState(slots, newest, self.tracks)

    def adopt(self, other: "CheckState") -> "CheckState":
        """This state with the nodes of `other` that have come at least as far there."""
        names = list(other.slots)
        slots = {**self.slots}
        for name in names:
            slots.setdefault(name, len(slots) + 1)
        size = len(slots) + 1
        newest = np.concatenate((self.newest, np.full(size - self.newest.size, UNTIMED)))
        source = np.array([other.slots[name] for name in names], np.int64)
        target = np.array([slots[name] for name in names], np.int64)
        ahead = other.newest[source] >= newest[target]
        source, target = source[ahead], target[ahead]
        newest[target] = other.newest[source]
        tracks = {}
        for quantity in {**self.tracks, **other.tracks}:
            mine = self.tracks.get(quantity, Track.blank(size)).grown(size)
            theirs = other.tracks.get(quantity, Track.blank(0)).grown(other.newest.size)
            for kept, taken in zip(arrays(mine), arrays(theirs), strict=True):
                kept[target] = taken[source]
            tracks[quantity] = mine
        return CheckState(slots, newest, tracks)


def arrays(track: Track) -> tuple[Array, Array, Array]:
    """A track's values, times and beginnings."""
    return track.value, track.time, track.begin
