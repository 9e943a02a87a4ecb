"""A travelling node: calibrated beside a reference, then carried from place to place, so that its values
stand for the reference's wherever it has been."""

from collections.abc import Sequence

import numpy as np

from edge.correction.inputs import lowest
from edge.fit.sample import Colocation
from edge.fit.solve import RIDGE, least_squares, moments
from edge.readings import Array

LEVEL_ROWS = 24.0
"""Hours of a visit after which half of the level that it shows is believed,"""
SLOPE_ROWS = 240.0
"""and half of the slope: a few days hardly show one."""
FEWEST = 24
"""Hours that a visit needs to count at all."""


def brought(one: Colocation, value: Array, travellers: Sequence[Colocation], terms: tuple[str, ...]) -> Array:
    """A sensor's values [unit], moved to what travelling nodes have said beside it: gain and level as far as
    the visits support them; unchanged where none has been."""
    pairs = [_pairs(one, value, other, terms) for other in travellers if one.site in other.visits]
    if not pairs:
        return value
    own, truth = (np.concatenate(column) for column in zip(*pairs, strict=True))
    if own.size < FEWEST:
        return value
    gain, offset = towards(own, truth)
    moved: Array = np.maximum(gain * value + offset, lowest(one.inputs.quantity))
    return moved


def towards(own: Array, truth: Array) -> tuple[float, float]:
    """Gain and offset [unit] that bring a sensor to the truth as far as these hours of both support them."""
    middle, apart = own.mean(), truth - own
    swing = own - middle
    # Towards no change of slope: as if so many hours more had shown none.
    slope = float(swing @ apart) / float(swing @ swing + SLOPE_ROWS * max(swing.var(), 1e-9))
    level = float(apart.mean()) * own.size / (own.size + LEVEL_ROWS)
    return 1.0 + slope, level - slope * float(middle)


def _pairs(one: Colocation, value: Array, other: Colocation, terms: tuple[str, ...]) -> tuple[Array, Array]:
    """What the sensor and the traveller said in the hours of its visit."""
    taught = other.taught
    told = least_squares(moments(other.terms(terms)[taught], other.reference[taught]), RIDGE)(
        other.terms(terms)
    )
    _, mine, theirs = np.intersect1d(one.inputs.time, other.inputs.time, return_indices=True)
    there = other.visits[one.site][theirs] & ~other.suspect[theirs] & ~one.suspect[mine]
    own, truth = value[mine[there]], told[theirs[there]]
    known = np.isfinite(own) & np.isfinite(truth)
    return own[known], truth[known]
