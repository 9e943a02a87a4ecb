"""A node's past by equal steps, from the history."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.quantity import QUANTITIES
from edge.readings import SECOND, Array, Column, Flag, Readings
from gateway.console.answers import Notice, Series

SEVERITY = np.zeros(10, np.int64)
SEVERITY[[Flag.MISSING, Flag.UNKNOWN, Flag.GOOD, Flag.SUSPECT, Flag.FAIL]] = [1, 2, 3, 4, 5]
"""Order of QARTOD flags from best to worst: 9, 2, 1, 3, 4; absent is none."""

BY_SEVERITY = np.array([Flag.ABSENT, Flag.MISSING, Flag.UNKNOWN, Flag.GOOD, Flag.SUSPECT, Flag.FAIL])

STEPS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Lengths of a step [s] that read well on an axis."""


class History(Protocol):
    """The lead's history: blocking; rows sorted by node and time."""

    def read(self, start_ns: int, end_ns: int, nodes: Collection[str] | None) -> Readings:
        """The samples of these nodes in [start, end) [ns UTC]."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end` [s UTC] in steps of `step` [s], all whole steps."""

    start: int
    end: int
    step: int

    @classmethod
    def of(cls, start: int, end: int, points: int) -> "Window":
        """The window that covers [start, end) [s] with at most about `points` steps that read well."""
        step = next((step for step in STEPS if (end - start) / step <= points), STEPS[-1])
        return cls(start // step * step, -(-end // step) * step, step)

    @property
    def times(self) -> Array:
        """Begin of each step [s UTC]."""
        return np.arange(self.start, self.end, self.step, dtype=np.int64)


def series(history: History, node: str, quantity: str, window: Window, notice: Notice) -> Series:
    """The node's quantity in the window: means by step and the worst flag. A page's step may hold few samples
    and isn't held to the 75 % rule: `samples` says how many its mean rests on."""
    readings = history.read(window.start * SECOND, window.end * SECOND, [node])
    rows = readings.take(np.flatnonzero(_of(readings, node)))
    column = rows.columns.get(quantity) or Column.absent(len(rows))
    place = (rows.time // SECOND - window.start) // window.step
    inside = (place >= 0) & (place < window.times.size) & (column.flag != Flag.ABSENT)
    cells, place = column.map(lambda array: array[inside]), place[inside]
    believed = np.where(cells.flag == Flag.FAIL, np.nan, cells.value)
    return Series(
        node=node,
        quantity=quantity,
        unit=QUANTITIES[quantity].unit,
        step_s=window.step,
        time=window.times.tolist(),
        raw=_means(place, cells.raw, window.times.size),
        value=_means(place, believed, window.times.size),
        u=_means(place, np.where(cells.flag == Flag.FAIL, np.nan, cells.u), window.times.size),
        cals=_named(rows),
        flag=_worst(place, cells.flag, window.times.size),
        samples=np.bincount(place, minlength=window.times.size).tolist(),
        notice=notice,
    )


def _of(readings: Readings, node: str) -> Array:
    if node not in readings.nodes:
        return np.zeros(len(readings), bool)
    mine: Array = (readings.node == readings.nodes.index(node)) & readings.timed()
    return mine


def _means(place: Array, values: Array, steps: int) -> list[float | None]:
    good = np.isfinite(values)
    count = np.bincount(place[good], minlength=steps)
    total = np.bincount(place[good], values[good], minlength=steps)
    return [round(float(t / n), 2) if n else None for t, n in zip(total, count, strict=True)]


def _named(rows: Readings) -> list[str]:
    codes, first = np.unique(rows.cal, return_index=True)
    order = np.argsort(first)
    return [rows.cals[code] for code in codes[order].tolist() if 0 <= code < len(rows.cals)]


def _worst(place: Array, flag: Array, steps: int) -> list[int]:
    worst = np.zeros(steps, np.int64)
    np.maximum.at(worst, place, SEVERITY[flag])
    return [int(value) for value in BY_SEVERITY[worst]]
