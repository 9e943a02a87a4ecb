"""90 % intervals that learn from what came true: small steps of their ends, by place and by level."""

import numpy as np

from edge.predict.model import Model
from edge.readings import Array

STEP = 0.03
"""How far a miss moves an end, in parts of the interval's width (DOI 10.48550/arXiv.2106.00170)."""

TAIL = 0.05
BINS = 3


class Adaptive:
    """Interval ends of n places in parts of their spread (n × horizons × 3 levels × lower and upper)."""

    def __init__(self, model: Model, places: int) -> None:
        start = np.array([head.ends for head in model.values], np.float64) / 1024
        self._start = start.reshape(len(model.values), BINS, 2)
        self.width = np.maximum(self._start[..., 1] - self._start[..., 0], 1e-3)
        self.ends = np.repeat(self._start[None], places, axis=0)

    def grow(self, places: int) -> None:
        """Room for more places."""
        more = np.repeat(self._start[None], max(places - len(self.ends), 0), axis=0)
        self.ends = np.concatenate([self.ends, more])

    def of(self, place: Array, bins: Array) -> Array:
        """The ends (m × horizons × 2) in force for places (m) and levels (m × horizons)."""
        held: Array = self.ends[place[:, None], np.arange(bins.shape[1]), bins]
        return held

    def learn(self, place: Array, horizon: int, truth: Array, issued: Array) -> None:
        """What came true at different places (m) against the ends that were issued (m × 2): all levels of a
        place move together, each by its own width."""
        step = STEP * self.width[horizon]
        below, above = truth < issued[:, 0], truth > issued[:, 1]
        self.ends[place, horizon, :, 0] -= step * (below - TAIL)[:, None]
        self.ends[place, horizon, :, 1] += step * (above - TAIL)[:, None]


def chance_above(limit: float, value: Array, lower: Array, upper: Array) -> Array:
    """The probability that the truth is above the limit: two halves of bells through the interval's ends."""
    half = np.where(limit >= value, upper - value, value - lower) / 1.645
    odds = 1.702 * (value - limit) / np.maximum(half, 1e-6)
    return 1 / (1 + np.exp(-np.clip(odds, -30, 30)))


class Issued:
    """The intervals that were given, by node and minute, until they came true and moved the next ones."""

    def __init__(self, model: Model, places: int) -> None:
        self.model = model.id
        self._steps = np.array([horizon // 60 for horizon in model.horizons], np.int64)
        self._depth = 1 << int(self._steps.max()).bit_length()
        self._adaptive = Adaptive(model, places)
        self._minute = np.zeros((0, self._depth), np.int64)
        self._said = np.zeros((0, self._depth, self._steps.size, 3), np.float32)
        self.grow(places)

    def grow(self, places: int) -> None:
        """Room for more places."""
        more = places - len(self._minute)
        if more > 0:
            self._adaptive.grow(places)
            self._minute = np.vstack([self._minute, np.full((more, self._depth), -1, np.int64)])
            shape = (more, *self._said.shape[1:])
            self._said = np.concatenate([self._said, np.zeros(shape, np.float32)])

    def look(
        self, place: Array, minute: Array, now: Array, value: Array, spread: Array, bins: Array
    ) -> tuple[Array, Array]:
        """Ends (n × horizons) for places whose newest value is `now`, which teaches first."""
        for horizon, step in enumerate(self._steps):
            self._learn(place, minute - step, now, horizon)
        ends = self._adaptive.of(place, bins)
        lower, upper = value + ends[..., 0] * spread, value + ends[..., 1] * spread
        spot = minute % self._depth
        self._minute[place, spot] = minute
        self._said[place, spot] = np.stack([lower, upper, bins], axis=-1)
        return lower, upper

    def _learn(self, place: Array, minute: Array, now: Array, horizon: int) -> None:
        spot = minute % self._depth
        due = np.flatnonzero(self._minute[place, spot] == minute)
        said = self._said[place[due], spot[due], horizon]
        # Once: another look in the same minute brings nothing new.
        self._said[place[due], spot[due], horizon, :2] = np.nan
        told = np.isfinite(said[:, 0])
        places, ends, truth = place[due][told], said[told], now[due][told]
        self._adaptive.learn(places, horizon, truth, ends[:, :2])
