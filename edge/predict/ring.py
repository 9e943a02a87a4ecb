"""The last minutes of many nodes in one-minute means, as what a model's terms look at."""

from collections.abc import Sequence

import numpy as np

from edge.predict.series import cells, grains
from edge.readings import SECOND, Array

MINUTE = 60 * SECOND
DEPTH = 128
"""Minutes of the past that a forecast may see."""

_LAST = DEPTH - 1  # DEPTH is a power of two: a minute's place in the ring is its lowest bits
_LAGS = np.arange(DEPTH)


class Ring:
    """Sums and counts of samples by slot and minute; a new minute takes the place of the one DEPTH before."""

    def __init__(self) -> None:
        self._minute = np.full((0, DEPTH), -1, np.int64)
        self._total = np.zeros((0, DEPTH))
        self._count = np.zeros((0, DEPTH))

    def grow(self, slots: int) -> None:
        """Room for more slots."""
        more = slots - len(self._minute)
        if more > 0:
            self._minute = np.vstack([self._minute, np.full((more, DEPTH), -1, np.int64)])
            self._total = np.vstack([self._total, np.zeros((more, DEPTH))])
            self._count = np.vstack([self._count, np.zeros((more, DEPTH))])

    def add(self, slot: Array, time: Array, value: Array) -> int:
        """Take samples at `time` [ns]; how many were too old."""
        minute = time // MINUTE
        cell = slot * DEPTH + (minute & _LAST)
        held, total, count = self._minute.reshape(-1), self._total.reshape(-1), self._count.reshape(-1)
        before = held[cell]
        np.maximum.at(held, cell, minute)
        begun = cell[held[cell] > before]
        total[begun] = count[begun] = 0.0
        kept = held[cell] == minute
        np.add.at(total, cell[kept], grains(value[kept]))
        np.add.at(count, cell[kept], 1.0)
        return int(kept.size - kept.sum())

    def cells(self, slots: Array, minute: Array) -> Array:
        """Means (n × DEPTH) of the minutes up to each slot's, newest first, NaN where none; slot −1: none."""
        past = minute[:, None] - _LAGS
        if not len(self._minute):
            return np.full(past.shape, np.nan)
        cell = (past & _LAST) + slots[:, None] * DEPTH
        held = (self._minute.take(cell, mode="clip") == past) & (slots >= 0)[:, None]
        held &= self._count.take(cell, mode="clip") > 0
        total, count = self._total.take(cell, mode="clip"), self._count.take(cell, mode="clip")
        found: Array = np.divide(total, count, out=np.full(past.shape, np.nan), where=held)
        return found


class Rolling:
    """A view of n places' columns of cells (n × DEPTH, newest first, NaN where missing)."""

    def __init__(
        self, columns: Sequence[Array], bits: Sequence[int], clock: tuple[Array, Array, Array]
    ) -> None:
        self._clock = clock
        self._sums = [_running(*cells(one, bit)) for one, bit in zip(columns, bits, strict=True)]

    def window(self, column: int, first: int, past: int) -> tuple[Array, Array]:
        """Sum and number (n) of a column's cells in minutes before now, [first, past)."""
        total, count = self._sums[column]
        return total[:, past] - total[:, first], count[:, past] - count[:, first]

    def clock(self) -> tuple[Array, Array, Array]:
        """Minute of the local day, kind of day, place in the year."""
        return self._clock


def _running(value: Array, known: Array) -> tuple[Array, Array]:
    zero = np.zeros((len(value), 1), np.int64)
    total, count = (np.hstack([zero, np.cumsum(part, axis=1)]) for part in (value, known.astype(np.int64)))
    return total, count
