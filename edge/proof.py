"""Whether an actuator does what it confirms: by the power that it draws, else by how fast particles go.

Particles of a room without source go as C(t) = floor + (C0 − floor)·exp(−k·t), where `floor` is what comes in
from outdoors against all that is lost, so k is the slope of ln(C − floor). What a level cleans is its k less
that of level 0, in 1/h; times the room's volume it is the CADR that it delivers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edge.readings import Array

NEAR_W, NEAR = 3.0, 0.25
"""A power is as expected within so many watts, or within this share of it."""
ASLEEP = 0.2
"""Below this share of its level's power a device isn't running."""
NOISE = 1.5
"""What a sample's value may be off by from one to the next [µg/m³]; weights the fit near the floor."""
CLEAN = 10.0
"""Less than this above the floor [µg/m³] tells nothing."""
LEAST = 6
"""Samples that a fit needs."""
SURE = 2.0
"""Standard errors that count as proof."""
ENOUGH = 0.5
"""Share of the promised cleaning that a level must deliver."""

PROVED = frozenset({"power", "off", "faster", "rests"})
"""The findings that prove a level."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a level: a key of the word catalogue's table and the numbers that fill it."""

    key: str
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def proved(self) -> bool:
        """Whether the level is proved."""
        return self.key in PROVED


@dataclass(frozen=True, slots=True)
class Decay:
    """How fast particles went [1/h] with its standard error, from `samples` that began `excess` [µg/m³] above
    the floor."""

    rate: float
    error: float
    samples: int
    excess: float


def by_power(level: int, watts: float, expected: float) -> Finding | None:
    """What a reading [W] says of a level that should draw `expected` [W]; None where that is too little, or
    not named in the files, to tell it from standing by."""
    if level and expected <= NEAR_W:
        return None
    said = {"power": round(watts, 1), "expected": expected, "level": level}
    if level and watts < ASLEEP * expected:
        return Finding("asleep", said)
    near = abs(watts - expected) <= max(NEAR_W, NEAR * expected)
    return Finding(("power" if level else "off") if near else "other", said)


def decay(time: Array, value: Array, floor: float) -> Decay | None:
    """The fit of ln(C − floor) over `time` [s] and `value` [µg/m³], each sample weighted by its excess,
    its error widened for residuals that follow each other; None for fewer than `LEAST` samples that tell."""
    excess = value - floor
    usable = np.isfinite(excess) & (excess > 2 * NOISE)
    if usable.sum() < LEAST:
        return None
    hours, log = (time[usable] - time[usable][0]) / 3600, np.log(excess[usable])
    weight = (excess[usable] / NOISE) ** 2
    design = np.stack([np.ones_like(hours), -hours], axis=1)
    inverse = np.linalg.inv(design.T @ (weight[:, None] * design))
    found = inverse @ (design.T @ (weight * log))
    residual = (log - design @ found) * np.sqrt(weight)
    scatter = max(float(residual @ residual) / (hours.size - 2), 1.0)
    error = math.sqrt(float(inverse[1, 1]) * scatter * _following(residual))
    return Decay(float(found[1]), error, int(hours.size), float(np.exp(found[0])))


def _following(residual: Array) -> float:
    """By how much residuals that follow each other widen the variance."""
    around = residual - residual.mean()
    total = float(around @ around)
    share = float(around[1:] @ around[:-1]) / total if total > 0 else 0.0
    share = min(max(share, 0.0), 0.9)
    return (1 + share) / (1 - share)


def by_decay(level: int, off: Decay | None, on: Decay | None, expected: float) -> Finding:
    """What the particles say of a level that should clean `expected` [1/h], against those of level 0."""
    if on is None or on.excess < CLEAN:
        return Finding("clean", {"excess": round(on.excess, 1) if on else 0.0})
    if off is None or off.excess < CLEAN:
        return Finding("clean", {"excess": round(off.excess, 1) if off else 0.0})
    gained, error = on.rate - off.rate, SURE * math.hypot(on.error, off.error)
    said = {"level": level, "gained": _two(gained), "error": _two(error), "expected": _two(expected)}
    if expected <= 0:
        return Finding("unnamed", said)
    if gained + error < ENOUGH * expected:
        return Finding("weak" if gained - error > 0 else "idle", said)
    return Finding("faster" if gained - error > 0 else "unsure", said)


def _two(value: float) -> float:
    return round(value, 2)
