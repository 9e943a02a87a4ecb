"""Ways to draw a line or a curve through points: least squares by moments, robust, orthogonal, monotone."""

from dataclasses import dataclass

import numpy as np

from edge.readings import Array

RIDGE = 1e-3
TINY = 1e-9
"""The penalty of plain least squares: none, but two terms that are one, or one that never changes, don't
break it."""
TUNING = 1.5
ROUNDS = 12
PAIRS = 2000
FEWEST_IN_KNOT = 20


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solver found: a weight per term and an intercept, or the knots of a curve."""

    weights: tuple[float, ...]
    intercept: float
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, terms: Array) -> Array:
        """The corrected values of rows [rows, terms]."""
        from_terms: Array = terms @ np.array(self.weights) + self.intercept
        return from_terms


def moments(terms: Array, truth: Array) -> Array:
    """Sums over rows of products of (1, terms, truth): all that least squares needs; they add up."""
    rows = np.column_stack((np.ones(truth.size), terms, truth))
    product: Array = rows.T @ rows
    return product


def least_squares(sums: Array, penalty: float = RIDGE, stretch: float = 0.0) -> Solution:
    """The ridge of standardised terms from their `moments`; `penalty` is relative to the number of rows.

    Least squares flattens: its values vary by R, their correlation with the truth, less than the truth does.
    `stretch` gives that part of it back (0: none, 1: all), by R to the power −`stretch`.
    """
    count = max(sums[0, 0], 1e-9)
    mean = sums[0, 1:] / count
    spread = sums[1:, 1:] / count - np.outer(mean, mean)
    scale = np.sqrt(np.maximum(np.diag(spread)[:-1], 1e-12))
    within = spread[:-1, :-1] / np.outer(scale, scale) + max(penalty, TINY) * np.eye(scale.size)
    weights = np.linalg.solve(within, spread[:-1, -1] / scale) / scale
    if stretch:
        told, known = weights @ spread[:-1, :-1] @ weights, weights @ spread[:-1, -1]
        explained = known**2 / max(told * spread[-1, -1], 1e-12)
        weights = weights * float(np.clip(explained, 0.1, 1.0)) ** (-stretch / 2)
    return Solution(tuple(weights.tolist()), float(mean[-1] - mean[:-1] @ weights))


def huber(terms: Array, truth: Array, penalty: float = RIDGE) -> Solution:
    """Least squares in which a residual beyond 1.5 robust standard deviations weighs as its size only.

    Huber 1964, doi:10.1214/aoms/1177703732.
    """
    weight = np.ones(truth.size)
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        rows = np.column_stack((root, terms * root[:, None], truth * root))
        found = least_squares(rows.T @ rows, penalty)
        residual = np.abs(truth - found(terms))
        scale = 1.4826 * np.median(residual) + 1e-9
        weight = 1.0 / np.maximum(1.0, residual / (TUNING * scale))
    return found


def theil_sen(terms: Array, truth: Array) -> Solution:
    """The median slope over pairs of points far apart, and the median intercept; for one term.

    Theil 1950; Sen 1968, doi:10.1080/01621459.1968.10480934. Pairs: each point with the one half the sorted
    points further, at most 2000, evenly chosen, so that the same data give the same line.
    """
    x = terms[:, 0]
    order = np.argsort(x, kind="stable")
    half = x.size // 2
    chosen = np.unique(np.linspace(0, half - 1, min(half, PAIRS)).astype(np.int64))
    low, high = order[chosen], order[chosen + half]
    apart = x[high] - x[low]
    usable = apart > 0
    if not usable.any():
        return Solution((0.0,), float(np.median(truth)))
    slope = float(np.median((truth[high] - truth[low])[usable] / apart[usable]))
    return Solution((slope,), float(np.median(truth - slope * x)))


def orthogonal(terms: Array, truth: Array) -> Solution:
    """The line with the least squared distance to the points: errors of equal size in both variables.

    b1 = (Syy − Sxx + √((Syy − Sxx)² + 4 Sxy²)) / (2 Sxy); Deming 1943.
    """
    x = terms[:, 0]
    (sxx, sxy), (_, syy) = np.cov(x, truth)
    if sxy == 0:
        return Solution((0.0,), float(truth.mean()))
    slope = (syy - sxx + np.sqrt((syy - sxx) ** 2 + 4 * sxy**2)) / (2 * sxy)
    return Solution((float(slope),), float(truth.mean() - slope * x.mean()))


def best_one(terms: Array, truth: Array) -> Solution:
    """The least-squares line through the one term that explains most; the others weigh nothing."""
    rests = []
    for place in range(terms.shape[1]):
        line = least_squares(moments(terms[:, [place]], truth), 0.0)
        rests.append((float(np.sum((truth - line(terms[:, [place]])) ** 2)), place, line))
    _, place, line = min(rests, key=lambda rest: rest[:2])
    weights = tuple(line.weights[0] if place == own else 0.0 for own in range(terms.shape[1]))
    return Solution(weights, line.intercept)


def monotone(terms: Array, truth: Array) -> Solution:
    """A growing curve: isotonic means (pool adjacent violators) of the points, with knots of at least 20.

    Barlow et al. 1972. Straight pieces join the knots; the last ones go on.
    """
    order = np.argsort(terms[:, 0], kind="stable")
    x, y = terms[order, 0], truth[order]
    groups = max(2, min(12, x.size // FEWEST_IN_KNOT))
    parts = np.array_split(np.arange(x.size), groups)
    means = [(float(x[part].mean()), float(y[part].mean()), part.size) for part in parts if part.size]
    pooled: list[tuple[float, float, int]] = []
    for mean in means:
        pooled.append(mean)
        while len(pooled) > 1 and (pooled[-2][1] >= pooled[-1][1] or pooled[-2][0] >= pooled[-1][0]):
            (x1, y1, n1), (x2, y2, n2) = pooled.pop(), pooled.pop()
            total = n1 + n2
            pooled.append(((x1 * n1 + x2 * n2) / total, (y1 * n1 + y2 * n2) / total, total))
    if len(pooled) < 2:
        x0, y0, _ = pooled[0]
        return Solution((), 0.0, ((x0, y0), (x0 + 1.0, y0)))
    return Solution((), 0.0, tuple((a, b) for a, b, _ in pooled))
