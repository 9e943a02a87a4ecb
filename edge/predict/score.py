"""How good forecasts and warnings are: plain numbers of arrays."""

from dataclasses import dataclass

import numpy as np

from edge.readings import Array

MISS = 0.1
"""The share of truths that a 90 % interval may miss."""


def r2(truth: Array, value: Array) -> float | None:
    """1 − SSE / SST; None where the truth never changes."""
    spread = float(np.var(truth)) if truth.size else 0.0
    return 1 - float(np.mean((truth - value) ** 2)) / spread if spread > 0 else None


def interval_score(truth: Array, lower: Array, upper: Array) -> float:
    """Mean width plus what is missed by, times 2 / .1 (DOI 10.1198/016214506000001437); lower is better."""
    missed = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    return float(np.mean(upper - lower + 2 / MISS * missed))


def average_precision(event: Array, score: Array) -> float | None:
    """The precision at each event's score, averaged; None without events."""
    if not event.any():
        return None
    order = np.argsort(-score, kind="stable")
    held, ranked = score[order], event[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(held)), held.size - 1)
    hits = np.cumsum(ranked)[last]
    precision, recall = hits / (last + 1), hits / ranked.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def equal_error(event: Array, score: Array) -> float | None:
    """The rate at which as many events are missed as others are taken for one; None without either."""
    if not event.any() or event.all():
        return None
    order = np.argsort(-score, kind="stable")
    held, ranked = score[order], event[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(held)), held.size - 1)
    missed = 1 - np.cumsum(ranked)[last] / ranked.sum()
    alarmed = np.cumsum(1 - ranked)[last] / (1 - ranked).sum()
    near = int(np.argmin(np.abs(missed - alarmed)))
    return float((missed[near] + alarmed[near]) / 2)


def cheapest(event: Array, score: Array, miss: float, alarm: float) -> float:
    """The score from which on warnings cost least, if a missed event costs `miss`, a false one `alarm`."""
    order = np.argsort(-score, kind="stable")
    held, ranked = score[order], event[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(held)), held.size - 1)
    hits = np.cumsum(ranked)[last]
    cost = miss * (ranked.sum() - hits) + alarm * (last + 1 - hits)
    best = int(np.argmin(cost))
    after = held[last[best + 1]] if best + 1 < last.size else held[last[best]]
    return float((held[last[best]] + after) / 2)


@dataclass(frozen=True, slots=True)
class Warnings:
    """How warnings did: precision, recall and their harmonic mean (None where nothing was warned of)."""

    precision: float | None
    recall: float | None
    f1: float | None


def warnings_of(event: Array, warned: Array) -> Warnings:
    """Precision, recall and F1 of warnings (mask)."""
    hits = float(np.sum(event & warned))
    precision = hits / float(warned.sum()) if warned.any() else None
    recall = hits / float(event.sum()) if event.any() else None
    f1 = 2 * hits / float(warned.sum() + event.sum()) if event.any() else None
    return Warnings(precision, recall, f1)
