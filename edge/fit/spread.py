"""How far corrected values may be from the truth: intervals that hold on time that the fit hasn't seen."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from edge.correction.inputs import lowest
from edge.correction.model import BEYOND, Spread, beyond, circumstances
from edge.fit.cross import Fleet
from edge.fit.sample import Colocation, valid
from edge.readings import Array

NOMINAL = 0.9
TAIL = 0.05
BLOCKWISE = 0.7
LEAST = 0.3
"""A residual below this [unit] says as much as one of this size."""
FEWEST = 100
ALONE = 200
"""Rows from which on a sensor's spread is its own affair."""
MOST_BLOCKS = 1000
RIDGE = 0.1


def spread(value: Array, residual: Array, around: Array, block: Array) -> Spread:
    """The spread of residuals [unit] (truth − value) of left-out rows: their size by circumstances
    [rows, 6], and the quantiles of what remains, each block of time with equal weight, so that a rare kind
    of weather counts as much as a common one."""
    size = np.log(np.maximum(np.abs(residual), LEAST))
    mean, scale = around.mean(axis=0), around.std(axis=0)
    usable = scale > 1e-6
    centred = np.where(usable, (around - mean) / np.where(usable, scale, 1.0), 0.0)
    gram = centred.T @ centred / size.size + RIDGE * np.eye(mean.size)
    slope = np.linalg.solve(gram, centred.T @ (size - size.mean()) / size.size)
    weights = np.where(usable, slope / np.where(usable, scale, 1.0), 0.0)
    if residual.size < FEWEST:
        weights = np.zeros(mean.size)
    intercept = float(size.mean() - mean @ weights)
    relative = residual / np.exp(intercept + around @ weights)
    lower, upper = quantiles(relative, block)
    return Spread(intercept, tuple(weights.tolist()), float(min(lower, 0.0)), float(max(upper, 0.0)))


def quantiles(relative: Array, block: Array) -> Array:
    """The 5 and 95 % quantiles with half the weight on rows and half on blocks."""
    _, place, count = np.unique(block, return_inverse=True, return_counts=True)
    weight = 0.5 / relative.size + 0.5 / (count.size * count[place])
    order = np.argsort(relative)
    reached = np.cumsum(weight[order]) - weight[order] / 2
    # A few blocks don't show all the weather there is: the fewer, the further out.
    tail = TAIL * (1 - BLOCKWISE / np.sqrt(np.unique(block % MOST_BLOCKS).size))
    ends: Array = np.interp((tail, 1 - tail), reached / weight.sum(), relative[order])
    return ends


@dataclass(frozen=True, slots=True)
class Coverage:
    """What share of a node's held-out reference values its 90 % intervals cover: `share` of the `n` rows, and
    by block (NaN: the block is empty); `width` [unit] is their median width."""

    node: str
    n: int
    share: float
    blocks: tuple[float, ...]
    width: float

    @property
    def worst(self) -> float:
        """The share in the block that is covered least."""
        return min((share for share in self.blocks if np.isfinite(share)), default=float("nan"))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Left-out rows to learn a spread from: time [ns], value and residual [unit], circumstances, block."""

    time: Array
    value: Array
    residual: Array
    around: Array
    block: Array

    @classmethod
    def of(cls, one: Colocation, value: Array) -> "_Rows":
        rows = one.scored & np.isfinite(value)
        around = circumstances(value, one.inputs)[rows]
        residual = one.reference[rows] - value[rows]
        return cls(one.inputs.time[rows], value[rows], residual, around, one.block[rows])

    def without(self, begin: int, end: int) -> "_Rows":
        """The rows outside [begin, end) ns."""
        kept = (self.time < begin) | (self.time >= end)
        return _Rows(*(getattr(self, cell.name)[kept] for cell in fields(self)))


def _joint(parts: Sequence[_Rows]) -> Spread:
    """One spread of all parts; a block of one member is not that of another."""
    value, residual, around = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "residual", "around")
    )
    block = np.concatenate([part.block + MOST_BLOCKS * number for number, part in enumerate(parts)])
    return spread(value, residual, around, block)


def judge(fleet: Fleet, place: int, left_out: Sequence[Array]) -> tuple[Spread, Coverage]:
    """A member's spread, and how well intervals made in the same way cover blocks that neither their values
    nor their spread have seen, wider beyond the range of the others, as `Correction.apply` makes them;
    `left_out` are all members' left-out values.

    A member with few rows learns its spread together with the others.
    """
    one, value = fleet.members[place], left_out[place]
    few = one.scored.sum() < ALONE
    others = [
        _Rows.of(other, cells)
        for other, cells in zip(fleet.members, left_out, strict=True)
        if few and other is not one
    ]
    covered = np.zeros(one.reference.size, bool)
    width = np.full(one.reference.size, np.nan)
    for block in range(one.blocks):
        rows = np.flatnonzero(one.scored & (one.block == block))
        if not rows.size:
            continue
        own = _Rows.of(one, fleet.left_out(place, {block}))
        made = _joint([part.without(*one.edges[block : block + 2]) for part in (own, *others)])
        outside = beyond(valid([one], block), one.inputs)
        scale = (made.scale(value, one.inputs) * np.where(outside, BEYOND, 1.0))[rows]
        floor = lowest(one.inputs.quantity)
        low, high = np.maximum(value[rows] + made.lower * scale, floor), value[rows] + made.upper * scale
        covered[rows] = (one.reference[rows] >= low) & (one.reference[rows] <= high)
        width[rows] = high - low
    coverage = _coverage(one.node, covered, width, one.block, one.scored, one.blocks)
    return _joint([_Rows.of(one, value), *others]), coverage


def _coverage(node: str, covered: Array, width: Array, block: Array, scored: Array, blocks: int) -> Coverage:
    shares = [covered[scored & (block == k)] for k in range(blocks)]
    return Coverage(
        node=node,
        n=int(scored.sum()),
        share=float(covered[scored].mean()) if scored.any() else float("nan"),
        blocks=tuple(float(share.mean()) if share.size else float("nan") for share in shares),
        width=float(np.nanmedian(width)) if scored.any() else float("nan"),
    )


def overall(found: Sequence[Coverage]) -> float:
    """The share over all nodes' rows."""
    n = sum(one.n for one in found)
    return sum(one.share * one.n for one in found if one.n) / n if n else float("nan")
