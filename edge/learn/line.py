"""Linear fits with a penalty on all weights but the intercept: of a value, and of the odds of an event."""

import numpy as np

from edge.readings import Array

_TURNS = 12


def ridge(z: Array, target: Array, penalty: float) -> tuple[Array, Array]:
    """Weights (p × k) and intercepts (k) of targets (n × k); `penalty` is relative to the number of rows."""
    mean, centre = z.mean(axis=0, dtype=np.float64), target.mean(axis=0, dtype=np.float64)
    off = z - mean
    gram = (off.T @ off).astype(np.float64) + penalty * max(len(z), 1) * np.eye(z.shape[1])
    weights = np.linalg.solve(gram, (off.T @ (target - centre)).astype(np.float64))
    return weights, centre - mean @ weights


def logistic(z: Array, event: Array, penalty: Array) -> tuple[Array, float]:
    """Weights (p) and intercept of the log odds of an event (n), by Newton's steps; `penalty` (p) is what a
    square of each weight costs beside the sum of all rows' log losses."""
    rows = np.hstack([z, np.ones((len(z), 1))]).astype(np.float64)
    cost = np.append(penalty, 1e-6)
    share = np.clip(event.mean(), 1e-4, 1 - 1e-4)
    weights = np.zeros(rows.shape[1])
    weights[-1] = np.log(share / (1 - share))
    for _ in range(_TURNS):
        odds = np.clip(rows @ weights, -30, 30)
        chance = 1 / (1 + np.exp(-odds))
        slope = rows.T @ (chance - event) + cost * weights
        curve = (rows.T * (chance * (1 - chance))) @ rows + np.diag(cost)
        step = np.linalg.solve(curve, slope)
        # A whole Newton step may overshoot where events are rare.
        weights -= step * min(
            1.0, 4.0 / max(float(np.abs(rows[:: max(len(rows) // 2000, 1)] @ step).max()), 1e-9)
        )
        if np.abs(step).max() < 1e-6:
            break
    return weights[:-1], float(weights[-1])
