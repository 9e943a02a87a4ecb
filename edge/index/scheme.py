"""What an index is made of: bands with their words and colours, dated tables, a function of hourly means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from edge.index.hours import Hours
from edge.readings import Array

HAIR = 1e-9
"""What the division by a step may lose to binary fractions."""


@dataclass(frozen=True, slots=True)
class Band:
    """A class of an index: its word in the catalogue's English, and its colour."""

    word: str
    colour: str


def rounded(steps: Array) -> Array:
    """Whole steps, halves up."""
    whole: Array = np.floor(steps + 0.5 + HAIR)
    return whole


def truncated(steps: Array) -> Array:
    """Whole steps, what is more cut off."""
    whole: Array = np.floor(steps + HAIR)
    return whole


@dataclass(frozen=True, slots=True)
class Table:
    """What an authority has put in force on `since`.

    For each quantity, `ends` are the concentrations [unit] that end its bands, the last included (infinite
    where it has none); `values` the index at each band's first and last concentration, where bands are
    numbered. A concentration is first brought to whole `step`s [unit] by `bring`, where there is a step.
    """

    since: date
    ends: Mapping[str, tuple[float, ...]]
    values: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    step: Mapping[str, float] = field(default_factory=dict)
    bring: Callable[[Array], Array] = rounded

    def brought(self, quantity: str, concentration: Array) -> Array:
        """Concentrations [unit] as the table reads them."""
        step = self.step.get(quantity)
        return concentration if step is None else self.bring(concentration / step) * step

    def band(self, quantity: str, concentration: Array) -> Array:
        """The band of each concentration [unit], from 0; NaN where it is missing."""
        read = self.brought(quantity, concentration)
        ends = np.array(self.ends[quantity][:-1]) + HAIR
        band: Array = np.where(np.isnan(read), np.nan, np.searchsorted(ends, read))
        return band

    def value(self, quantity: str, concentration: Array) -> Array:
        """The index of each concentration [unit], on the straight line of its band; it ends with the last."""
        row = np.nan_to_num(self.band(quantity, concentration)).astype(int)
        ends = np.array(self.ends[quantity])
        first = np.concatenate([[0.0], ends[:-1] + self.step.get(quantity, 0.0)])
        share = (self.brought(quantity, concentration) - first[row]) / (ends - first)[row]
        low, high = np.array(self.values[quantity]).T
        value: Array = low[row] + np.clip(share, 0.0, 1.0) * (high - low)[row]
        return value


def in_force(tables: Sequence[Table], day: date) -> Table:
    """The table of that day of `tables`, sorted by `since`; a day before the first takes the first."""
    return next((table for table in reversed(tables) if table.since <= day), tables[0])


def band_of(ends: tuple[float, ...], values: Array) -> Array:
    """The band of each value of an index, from 0, where `ends` are the values that end all but the last; NaN
    where there is none."""
    band: Array = np.where(np.isnan(values), np.nan, np.searchsorted(ends, values))
    return band


def worst(values: Sequence[Array]) -> Array:
    """The highest of several quantities' values at each hour; NaN where none can be said."""
    if not values:
        return np.zeros(0)
    stacked = np.stack(values)
    value: Array = np.where(np.isnan(stacked).all(axis=0), np.nan, np.fmax.reduce(stacked))
    return value


@dataclass(frozen=True, slots=True)
class Index:
    """An index that people read: `of` gives its value at each hour (NaN where it can't be said), `band` the
    place of each value in `bands`. The worst value is the greatest, where `rising`. `source` says who defined
    it and since when; nobody has defined an `experimental` one."""

    id: str
    word: str
    quantities: tuple[str, ...]
    bands: tuple[Band, ...]
    of: Callable[[Hours], Array]
    band: Callable[[Array], Array]
    source: str
    unit: str = ""
    rising: bool = True
    experimental: bool = False
