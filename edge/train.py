"""Training: ridge on the features of the past, a head for each horizon, installed where it beats persistence.

The first 80 % of the rows in time teach, the last 20 % judge. Penalty and interval come from the residuals of
chronological blocks left out in turn, so that neither saw what it is measured on. Same input, same model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce

import numpy as np

from edge.feature import FEATURES
from edge.lessons import Lessons, Series, lessons
from edge.model import HORIZONS, PERSISTENCE, Head, Model
from edge.readings import Array

TAUGHT = 0.8
BLOCKS = 5
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
ENDS = (0.05, 0.95)
FEWEST_ROWS = 500
"""Fewer rows to learn from than this are no ground for a model."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One horizon on held-out time, None where there was too little: RMSE [unit] and R² of the ridge and of
    persistence, skill (1 − MSE / MSE of persistence), whether the ridge is installed, and what share of the
    truth the 90 % interval in force covers."""

    horizon_s: int
    taught: int
    judged: int
    installed: bool = False
    rmse: float | None = None
    persistence_rmse: float | None = None
    r2: float | None = None
    persistence_r2: float | None = None
    skill: float | None = None
    coverage: float | None = None
    penalty: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What training found: rooms used, the time learnt from and judged on [s, s], a verdict by horizon."""

    rooms: int
    taught: tuple[int, int]
    judged: tuple[int, int]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class _Scaling:
    """The features that varied in training, as positions, and their means and spreads there."""

    columns: Array
    mean: Array
    scale: Array

    def __call__(self, matrix: Array) -> Array:
        scaled: Array = np.nan_to_num((matrix[:, self.columns] - self.mean) / self.scale, nan=0.0)
        return scaled


def train(
    past: Sequence[Series], horizons: Sequence[int] = HORIZONS, quantity: str = "pm25"
) -> tuple[Model, Report]:
    """A model of one quantity for `horizons` [s], and how it did on held-out time."""
    rows = lessons(past, horizons)
    cut = int(rows.minute[int(TAUGHT * rows.minute.size)]) if rows.minute.size else 0
    early = rows.minute < cut
    scaling = _scaling(rows.matrix[early])
    learnt = [_learn(rows, scaling, cut, place, horizon) for place, horizon in enumerate(horizons)]
    model = Model(
        heads=tuple(head for head, _ in learnt),
        quantity=quantity,
        features=tuple(FEATURES[column] for column in scaling.columns),
        mean=tuple(scaling.mean.tolist()),
        scale=tuple(scaling.scale.tolist()),
        base=PERSISTENCE.base,
        span=_span(rows.minute[early]),
    )
    verdicts = tuple(verdict for _, verdict in learnt)
    return model, Report(len(past), model.span, _span(rows.minute[~early]), verdicts)


def _learn(rows: Lessons, scaling: _Scaling, cut: int, place: int, horizon: int) -> tuple[Head, Verdict]:
    truth = rows.truth[:, place]
    known = np.isfinite(truth)
    # What is learnt must have come true before the held-out time begins.
    taught = known & (rows.minute + horizon // 60 < cut)
    judged = known & (rows.minute >= cut)
    unjudged = Verdict(horizon, int(taught.sum()), int(judged.sum()))
    if unjudged.taught < FEWEST_ROWS or unjudged.judged < FEWEST_ROWS // 5:
        return _prior(horizon), unjudged
    ridge, penalty, left_out = _fitted(scaling(rows.matrix[taught]), rows.last[taught], truth[taught])
    weights, intercept = ridge
    guess = _guess(scaling(rows.matrix[judged]), rows.last[judged], ridge)
    installed = _rmse(guess, truth[judged]) < _rmse(rows.last[judged], truth[judged])
    lower, upper = _ends(truth[taught], left_out if installed else rows.last[taught])
    head = Head(horizon, lower, upper, *((tuple(weights.tolist()), intercept) if installed else ()))
    return head, _verdict(unjudged, head, truth[judged], guess, rows.last[judged], penalty)


def _verdict(counts: Verdict, head: Head, truth: Array, guess: Array, last: Array, penalty: float) -> Verdict:
    rmse, stays, spread = _rmse(guess, truth), _rmse(last, truth), float(np.std(truth))
    served = guess if head.coef else last
    reach = PERSISTENCE.base + served
    covered = (truth >= served + head.lower * reach) & (truth <= served + head.upper * reach)
    return Verdict(
        horizon_s=counts.horizon_s,
        taught=counts.taught,
        judged=counts.judged,
        installed=bool(head.coef),
        rmse=rmse,
        persistence_rmse=stays,
        r2=1 - (rmse / spread) ** 2 if spread else None,
        persistence_r2=1 - (stays / spread) ** 2 if spread else None,
        skill=1 - (rmse / stays) ** 2 if stays else None,
        coverage=float(covered.mean()),
        penalty=penalty,
    )


_Ridge = tuple[Array, float]


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over n rows of z zᵀ, z·y, z and y: all that a ridge needs, and blocks of rows add and subtract."""

    zz: Array
    zy: Array
    z: Array
    y: float
    n: int

    @classmethod
    def of(cls, z: Array, y: Array) -> "_Moments":
        return cls(z.T @ z, z.T @ y, z.sum(axis=0), float(y.sum()), y.size)

    def plus(self, other: "_Moments", sign: int = 1) -> "_Moments":
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return _Moments(*(own + sign * more for own, more in pairs))

    def ridge(self, penalty: float) -> _Ridge:
        """Weights and intercept; `penalty` is relative to the number of rows."""
        gram = self.zz - np.outer(self.z, self.z) / self.n + penalty * self.n * np.eye(self.z.size)
        weights = np.linalg.solve(gram, self.zy - self.z * (self.y / self.n))
        return weights, float((self.y - self.z @ weights) / self.n)


def _fitted(z: Array, last: Array, truth: Array) -> tuple[_Ridge, float, Array]:
    """The ridge with the penalty that misses least on blocks left out in turn, and its guesses there."""
    blocks = np.array_split(np.arange(truth.size), BLOCKS)
    moments = [_Moments.of(z[block], (truth - last)[block]) for block in blocks]
    whole = reduce(_Moments.plus, moments)
    rests = [whole.plus(part, -1) for part in moments]

    def left_out(penalty: float) -> Array:
        ridges = (rest.ridge(penalty) for rest in rests)
        return np.concatenate([_guess(z[b], last[b], r) for b, r in zip(blocks, ridges, strict=True)])

    guesses = {penalty: left_out(penalty) for penalty in PENALTIES}
    best = min(PENALTIES, key=lambda penalty: (_rmse(guesses[penalty], truth), -penalty))
    return whole.ridge(best), best, guesses[best]


def _guess(z: Array, last: Array, ridge: _Ridge) -> Array:
    weights, intercept = ridge
    guess: Array = np.maximum(last + z @ weights + intercept, 0.0)
    return guess


def _scaling(matrix: Array) -> _Scaling:
    known = np.isfinite(matrix)
    count = known.sum(axis=0)
    held = np.maximum(count, 1)
    mean = np.where(known, matrix, 0.0).sum(axis=0) / held
    spread = np.sqrt(np.where(known, (matrix - mean) ** 2, 0.0).sum(axis=0) / held)
    # A feature that is hardly ever there, or never changes, teaches nothing.
    columns = np.flatnonzero((count > 0.05 * len(matrix)) & (spread > 1e-9))
    return _Scaling(columns, mean[columns], spread[columns])


def _ends(truth: Array, guess: Array) -> tuple[float, float]:
    relative = (truth - guess) / (PERSISTENCE.base + guess)
    lower, upper = np.quantile(relative, ENDS)
    return float(min(lower, 0.0)), float(max(upper, 0.0))


def _rmse(guess: Array, truth: Array) -> float:
    return float(np.sqrt(np.mean((guess - truth) ** 2)))


def _span(minute: Array) -> tuple[int, int]:
    return (int(minute[0]) * 60, int(minute[-1]) * 60) if minute.size else (0, 0)


def _prior(horizon: int) -> Head:
    nearest = min(PERSISTENCE.heads, key=lambda head: abs(head.horizon_s - horizon))
    return replace(nearest, horizon_s=horizon)
