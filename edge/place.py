"""The time of samples that were taken before their boot had a clock."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from edge.readings import SECOND, UNTIMED, Array, Clock, Readings
from edge.wire import EARLIEST, LATEST

Boot = tuple[str, int, int]
"""(node, log, boot): one life of a board between two resets."""

Told = tuple[str, int, int, int, int]
"""(node, log, boot, sequence, offset): what one batch says about its boot's clock."""

KEPT_BOOTS = 64
"""How many boots of a log are remembered: a spool of 72 h holds batches of no more."""


class Boots:
    """When each boot began, as far as its batches have told: the offset `t0` - `up` [s UTC] of its lowest
    sequence that has a `t0`. Observing twice is observing once. `told` counts what was news."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], dict[int, tuple[int, int]]] = {}
        self.told = 0

    def observe(self, readings: Readings) -> set[Boot]:
        """Learn from batches that bring their own time; the boots whose offset is new or has changed."""
        return {told[:3] for told in self.heard(readings) if self.learn(*told)}

    def heard(self, readings: Readings) -> list[Told]:
        """What batches that bring their own time say, but for what lower sequences have said."""
        rows = readings.batches()
        clock = readings.clock[rows]
        rows = rows[(clock == Clock.OWN) | (clock == Clock.DOUBLE)]
        begun = readings.time[rows] // SECOND - readings.up[rows] - readings.row[rows] * readings.dt[rows]
        keys = (readings.node[rows], readings.log[rows], readings.boot[rows], readings.seq[rows], begun)
        news = []
        for code, log, boot, seq, offset in zip(*(key.tolist() for key in keys), strict=True):
            node = readings.nodes[code]
            told = self._known.get((node, log), {}).get(boot)
            if told is None or seq < told[0]:
                news.append((node, log, boot, seq, offset))
        return news

    def offset(self, node: str, log: int, boot: int) -> int | None:
        """The UTC second at which that boot's uptime was 0, or None while nobody knows."""
        known = self._known.get((node, log), {}).get(boot)
        return known[1] if known else None

    def dump(self) -> list[list[str | int]]:
        """All that is known, as rows for JSON: node, log, boot, sequence, offset."""
        return [
            [node, log, boot, *told]
            for (node, log), boots in self._known.items()
            for boot, told in boots.items()
        ]

    @classmethod
    def load(cls, rows: Iterable[Sequence[str | int]]) -> "Boots":
        """What `dump` gave."""
        boots = cls()
        for node, log, boot, seq, offset in rows:
            boots.learn(str(node), int(log), int(boot), int(seq), int(offset))
        return boots

    def learn(self, node: str, log: int, boot: int, seq: int, offset: int) -> bool:
        """Take in one batch's word; whether the boot's offset is new or has changed."""
        boots = self._known.setdefault((node, log), {})
        told = boots.get(boot)
        if told is not None and told[0] <= seq:
            return False
        boots[boot] = seq, offset
        self.told += told is None or told[1] != offset
        if len(boots) > KEPT_BOOTS:
            del boots[min(boots)]
        return told is None or told[1] != offset


def place(readings: Readings, boots: Boots) -> Readings:
    """Give the rows without a time of their own the time that their boot's offset says.

    Rows that an earlier offset placed are placed again; rows of a boot that nobody knows, and those whose
    time would be impossible, stay as they are.
    """
    rows = np.flatnonzero((readings.clock == Clock.NONE) | (readings.clock == Clock.PLACED))
    if not rows.size:
        return readings
    begun, known = _offsets(readings, rows, boots)
    second = begun + readings.up[rows] + readings.row[rows] * readings.dt[rows]
    known &= (second >= EARLIEST) & (second <= LATEST)
    rows, second = rows[known], second[known]
    time, clock = readings.time.copy(), readings.clock.copy()
    time[rows], clock[rows] = second * SECOND, Clock.PLACED
    return replace(readings, time=time, clock=clock)


def told_by_doubles(doubles: Readings) -> Readings:
    """Rows of doubles that bring the time their first copy lacked, marked so; the others fall out."""
    timed = doubles.take(np.flatnonzero(doubles.time != UNTIMED))
    return replace(timed, clock=np.full(len(timed), Clock.DOUBLE, np.uint8))


def _offsets(readings: Readings, rows: Array, boots: Boots) -> tuple[Array, Array]:
    """The offset of each row's boot, and whether there is one."""
    keys = np.column_stack((readings.node[rows], readings.log[rows].astype(np.int64), readings.boot[rows]))
    lives, life = np.unique(keys, axis=0, return_inverse=True)
    found = [boots.offset(readings.nodes[node], log, boot) for node, log, boot in lives.tolist()]
    offset = np.array([0 if begun is None else begun for begun in found], np.int64)
    known = np.array([begun is not None for begun in found], bool)
    return offset[life.ravel()], known[life.ravel()]
