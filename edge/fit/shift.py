"""A sensor's clock against its reference's, found from how their series go together."""

import numpy as np

from edge.fit.sample import Colocation
from edge.readings import Array

REACH = 12
FEWEST = 50
GAIN = 0.02
"""A series is moved only where that explains this much more of the reference's variance."""


def align(one: Colocation) -> Colocation:
    """The co-location with its sensor's series moved by whole steps where its clock is off by one or more;
    what remains, a part of one step, is left to the weight of the previous step."""
    ahead, explained = found(one)
    steps = _whole(ahead)
    worth = explained[steps + REACH] - explained[REACH] > GAIN
    return one.moved(steps if worth else 0, ahead)


def found(one: Colocation) -> tuple[float, Array]:
    """By how many steps, parts of a step included, the reference is late, and the squared correlation of
    each whole shift from −12 to 12: the weights of three neighbouring steps around the best one give the
    part. Each shift uses the hours that all of them have."""
    shifts = range(-REACH, REACH + 1)
    columns = np.stack([one.inputs.before(one.inputs.raw, shift) for shift in shifts])
    known = one.taught & np.isfinite(columns).all(axis=0)
    if known.sum() < FEWEST:
        return 0.0, np.zeros(len(shifts))
    raw, reference = columns[:, known], one.reference[known]
    with np.errstate(invalid="ignore"):
        explained = np.nan_to_num(np.array([np.corrcoef(row, reference)[0, 1] for row in raw])) ** 2
    best = int(np.clip(np.argmax(explained), 1, 2 * REACH - 1))
    around = raw[best - 1 : best + 2]
    centred = around - around.mean(axis=1, keepdims=True)
    gram = centred @ centred.T + 1e-6 * np.trace(centred @ centred.T) * np.eye(3)
    weight = np.maximum(np.linalg.solve(gram, centred @ (reference - reference.mean())), 0.0)
    part = float(weight @ np.array([-1.0, 0.0, 1.0]) / weight.sum()) if weight.sum() else 0.0
    return best - REACH + part, explained


def _whole(ahead: float) -> int:
    # The weights of neighbouring steps are uncertain: a part of a step that is hardly one isn't moved by.
    if 0 <= ahead < 1:
        return 0
    return int(np.floor(ahead + (0.1 if ahead > 0 else 0.25)))
