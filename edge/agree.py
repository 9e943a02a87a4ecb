"""The tests that look across a row: two channels, counts against masses, all zero, humidity, warm-up."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from edge.bound import Bound
from edge.channels import PAIRS
from edge.quantity import QUANTITIES
from edge.readings import Array, Flag
from edge.verdict import Test, Verdict

MASSES = tuple(name for name in QUANTITIES if name.startswith("pm"))
HOURLY = 1800
"""A sample that stands for this time [s] or longer is a mean, and its channels are judged as means."""
DENSE = 100.0
"""Above this [µg/m³] single samples of two channels may differ by a tenth instead of by twice `apart`."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where the quantities of a block stand that these tests look at."""

    pairs: tuple[tuple[int, int, int], ...]
    masses: tuple[int, ...]
    ambient: tuple[int, ...]
    at: Mapping[str, int]

    @classmethod
    @cache
    def of(cls, quantities: tuple[str, ...]) -> "_Lines":
        at = {name: line for line, name in enumerate(quantities)}
        pairs = tuple((at[q], at[a], at[b]) for q, a, b in PAIRS if {q, a, b} <= at.keys())
        masses = tuple(at[name] for name in MASSES if name in at)
        ambient = tuple(at[name] for name in ("pm1", "pm25", "pm10") if name in at)
        return cls(pairs, masses, ambient, at)


def agree(
    quantities: tuple[str, ...], raw: Array, dt: Array, uptime: Array, bound: Bound, verdict: Verdict
) -> None:
    """Mark what the tests find in `raw` [quantities, rows]; `dt` [s] is what a sample stands for, `uptime`
    [s] how long its node had been running."""
    lines = _Lines.of(quantities)
    if bound.warm and uptime.min() < bound.warm:
        verdict.mark(uptime < bound["warm"], Flag.SUSPECT, Test.WARMING)
    for line, a, b in lines.pairs:
        apart = disagree(raw[a], raw[b], dt, bound["apart"][line], bound["apart_share"][line])
        verdict.rows_of([line, a, b], apart, Flag.SUSPECT, Test.CHANNELS)
    if "n03" in lines.at and "pm10" in lines.at:
        none = (raw[lines.at["n03"]] == 0) & (raw[lines.at["pm10"]] > 0)
        verdict.rows_of([lines.at["n03"], *lines.masses], none, Flag.SUSPECT, Test.COUNTS)
    if bound.blank and len(lines.ambient) > 1:
        verdict.about(np.array(lines.ambient)).mark(_blank(raw, lines, bound), Flag.SUSPECT, Test.WARMING)
    if "rh" in lines.at:
        wet = raw[lines.at["rh"]] >= bound["wet"][lines.at["rh"]]
        verdict.rows_of([lines.at["rh"]], wet, Flag.SUSPECT, Test.HUMID)
        verdict.rows_of(lines.masses, wet, Flag.GOOD, Test.HUMID)


def disagree(a: Array, b: Array, dt: Array, apart: Array, share: Array) -> Array:
    """Where two channels of one sensor [unit] contradict each other: means further apart than both `apart`
    and a `share` of their mean (US EPA, sensortoolkit); single samples further apart than twice `apart` and
    a tenth of their mean (O'Dell, PurpleAirSmoke)."""
    off, mean = np.abs(a / 2 - b / 2), a / 2 + b / 2  # halves: no sum of what was sent overflows
    means = (off > apart / 2) & (off > share / 2 * mean)
    singles = off > np.maximum(apart, np.where(mean > DENSE, 0.05 * mean, 0.0))
    found: Array = np.where(dt >= HOURLY, means, singles)
    return found


def _blank(raw: Array, lines: _Lines, bound: Bound) -> Array:
    """Cells of rows in which every mass that is there is 0, and there are at least two."""
    some = raw[list(lines.ambient)]
    zeros, known = (some == 0).sum(axis=0), np.isfinite(some).sum(axis=0)
    blank: Array = (some == 0) & (bound["blank"][list(lines.ambient)] > 0) & (zeros == known) & (known > 1)
    return blank
