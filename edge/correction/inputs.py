"""What a correction is given: one device's raw series, so that a value also sees what came before it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edge.quantity import QUANTITIES
from edge.readings import Array

CEILING: Mapping[str, float] = {"pm1": 500.0, "pm25": 500.0, "pm10": 1000.0}
"""Above this [unit] a sensor says nothing: such a value counts as missing, as a lagged input too."""

MASSES = ("pm1", "pm25", "pm10")
AFFIXES = ("", "_a", "_b", "_cf1")


def lowest(quantity: str) -> float:
    """The least [unit] that a quantity can truthfully be: 0, or where its scale goes below, that."""
    return min(QUANTITIES[quantity].low, 0.0)


def possible(name: str, cells: Array) -> Array:
    """A quantity's cells, or a channel's, with those that can't be true made missing."""
    whole = next((mass for mass in MASSES if name in (f"{mass}_a", f"{mass}_b", f"{mass}_cf1")), name)
    top = CEILING.get(whole, np.inf)
    return np.where((cells >= lowest(name)) & (cells <= top), cells, np.nan)


@dataclass(frozen=True, slots=True)
class Inputs:
    """One device's raw columns by name, in their units, at `time` [ns UTC, growing], `step` [ns] apart where
    nothing is missing; `quantity` names the column to correct."""

    quantity: str
    time: Array
    step: int
    columns: Mapping[str, Array]

    @classmethod
    def of(cls, quantity: str, time: Array, step: int, columns: Mapping[str, Array]) -> "Inputs":
        """The columns, with values that can't be true made missing."""
        own = {f"{quantity}{affix}" for affix in AFFIXES}
        kept = {name: possible(name, cells) if name in own else cells for name, cells in columns.items()}
        return cls(quantity, time, step, kept)

    @property
    def raw(self) -> Array:
        """The column to correct."""
        return self.columns[self.quantity]

    def before(self, cells: Array, steps: int) -> Array:
        """Each row's cell `steps` steps earlier (negative: later), NaN where none is within half a step."""
        if not steps:
            return cells
        wanted = self.time - steps * self.step
        place = np.searchsorted(self.time, wanted - self.step // 2)
        place = np.minimum(place, self.time.size - 1)
        near = np.abs(self.time[place] - wanted) <= self.step // 2
        return np.where(near, cells[place], np.nan)

    def past(self, name: str, steps: int) -> Array:
        """A column as it was `steps` steps earlier, NaN where it isn't known."""
        return self.before(self.columns[name], steps)

    def filled(self, cells: Array) -> Array:
        """Cells with the raw value of the row where they are missing."""
        return np.where(np.isnan(cells), self.raw, cells)

    def late(self, steps: int) -> "Inputs":
        """The same rows with every column as it was `steps` steps earlier: a reference's clock is late."""
        moved = {name: self.before(cells, steps) for name, cells in self.columns.items()}
        return replace(self, columns=moved)
