"""How far a forecast may miss: a spread that goes with inputs and values, and ends in parts of it."""

from dataclasses import dataclass, replace

import numpy as np

from edge.learn.line import ridge
from edge.predict.score import interval_score
from edge.readings import Array

ENDS = (0.05, 0.95)
MARKS = (0.5, 0.9)
"""Low, middling and high forecasts have intervals of their own."""

LEAST = 0.2
"""A spread is at least this part of the median miss."""

FEWEST = 3000
PENALTY = 1e-2


@dataclass(frozen=True, slots=True)
class Doubt:
    """A horizon's spread: `weights` of inputs and of the `ahead` values, `offset` and the `least` [unit] (no
    weights: near + value); the values that part its intervals, and their ends in parts of it (3 × 2)."""

    weights: Array
    offset: float
    least: float
    marks: tuple[float, float]
    ends: Array
    ahead: int = 0


def doubt(z: Array, u: Array, value: Array, truth: Array, near: float) -> Doubt:
    """The spread that gave the better intervals: worked out from these rows (value and truth n; u n × h), or
    near + value."""
    simple = plain(value, truth, near)
    miss = np.abs(truth - value)
    least = LEAST * float(np.median(miss))
    if truth.size < FEWEST or least <= 0:
        return simple
    rows = np.hstack([z, u]).astype(np.float64)
    # Roots of misses are nearer to a bell than misses are; the last fifth judges.
    taught = slice(0, int(0.8 * truth.size))
    judged = slice(int(0.8 * truth.size), None)
    half, offset = ridge(rows[taught], miss[taught, None], PENALTY)
    spread = np.maximum(rows @ half[:, 0] + offset[0], least)
    mine = _ended(half[:, 0], 0, least, spread[taught], value[taught], truth[taught])
    base = _ended(half[:, 0], 0, least, near + value[taught], value[taught], truth[taught])
    scores = [
        _score(one, size[judged], value[judged], truth[judged])
        for one, size in ((mine, spread), (base, near + value))
    ]
    if scores[0] >= scores[1]:
        return simple
    weights, offset = ridge(rows, miss[:, None], PENALTY)
    spread = np.maximum(rows @ weights[:, 0] + offset[0], least)
    found = _ended(weights[:, 0], float(offset[0]), least, spread, value, truth)
    return replace(found, ahead=u.shape[1])


def plain(value: Array, truth: Array, near: float) -> Doubt:
    """Intervals in parts of near + value."""
    return _ended(np.zeros(0), 0.0, 0.0, near + value, value, truth)


def _ended(weights: Array, offset: float, least: float, spread: Array, value: Array, truth: Array) -> Doubt:
    marks = (float(np.quantile(value, MARKS[0])), float(np.quantile(value, MARKS[1])))
    which = (value >= marks[0]).astype(int) + (value >= marks[1])
    ratio = (truth - value) / spread
    whole = np.quantile(ratio, ENDS)
    ends = np.array([
        np.quantile(ratio[which == one], ENDS) if np.sum(which == one) >= 40 else whole for one in range(3)
    ])  # fmt: skip
    return Doubt(
        weights, offset, least, marks, np.stack([np.minimum(ends[:, 0], 0), np.maximum(ends[:, 1], 0)], 1)
    )


def _score(one: Doubt, spread: Array, value: Array, truth: Array) -> float:
    which = (value >= one.marks[0]).astype(int) + (value >= one.marks[1])
    lower, upper = (value + one.ends[which, end] * spread for end in (0, 1))
    return interval_score(truth, np.maximum(lower, 0), upper)
