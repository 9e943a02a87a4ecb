"""Hourly means of one place, and running means over them by the 75 % rule."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from edge.mean import COMPLETE
from edge.readings import Array


@dataclass(frozen=True, slots=True)
class Hours:
    """Means of whole hours without a hole in `time` [ns UTC, each hour's end], oldest first; `means` by
    quantity in its unit, NaN where the hour is incomplete."""

    time: Array
    means: Mapping[str, Array]

    def mean(self, quantity: str) -> Array:
        """A quantity's hourly means, NaN throughout where it isn't measured."""
        return self.means.get(quantity, np.full(self.time.size, np.nan))


def windows(hourly: Array, hours: int) -> Array:
    """The `hours` values up to and including each hour, oldest first: [n, hours], NaN before the start."""
    padded = np.concatenate([np.full(hours - 1, np.nan), hourly])
    view: Array = sliding_window_view(padded, hours)
    return view


def running(hourly: Array, hours: int) -> Array:
    """The mean of the last `hours` hours at each hour, NaN where fewer than 75 % of them are there."""
    last = windows(hourly, hours)
    there = np.isfinite(last)
    count = there.sum(axis=1)
    total = np.where(there, last, 0.0).sum(axis=1)
    mean: Array = np.where(count >= COMPLETE * hours, total / np.maximum(count, 1), np.nan)
    return mean
