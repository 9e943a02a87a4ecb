"""Onset: will the limit be passed within the horizon, from a clean start? Log odds of inputs and values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.learn.compete import Contest, Learnt, Step, judged
from edge.learn.line import logistic
from edge.learn.task import Fold, Task
from edge.predict.score import average_precision, cheapest
from edge.readings import Array

FEWEST = 20
"""Fewer events than this teach nothing."""

PENALTY = 30.0
PENALTY_AHEAD = 1.0
REACH = 2047 / 256


@dataclass(frozen=True, slots=True)
class Onset:
    """A horizon's log odds: weights of hidden units (may be none), inputs and values ahead, the offset, and
    from which on it is worth a warning."""

    hidden: Array
    inputs: Array
    values: Array
    offset: float
    threshold: float
    precision: float


def ahead(value: Array, limit: float, spread: float) -> Array:
    """Values as log odds take them: how far from the limit, in deviations."""
    return np.clip((value - limit) / spread, -REACH, REACH)


@dataclass(frozen=True, slots=True)
class Costs:
    """What counts as an event, and what a missed one and a false warning cost."""

    limit: float
    miss: float
    alarm: float


def onsets(
    task: Task, won: Contest, final: Learnt, value: Array, spread: float, costs: Costs, step: Step
) -> list[Onset | None]:
    """Of each horizon, None where events are too few."""
    folds = list(judged(task, won))
    found = []
    for place in range(len(task.steps)):
        found.append(_onset(task, folds, final, value, place, spread, costs))
        step(f"onset {place + 1}")
    return found


def _rows(net: Learnt, z: Array, u: Array, deep: bool) -> tuple[Array, Array]:
    """The rows of log odds, and what a weight of each column costs."""
    units = np.hstack([one.hidden(z) for one in net.nets]) if deep else np.zeros((len(z), 0))
    rows = np.hstack([units, z, u])
    cost = PENALTY * np.concatenate([units.var(axis=0) + 1e-3, np.ones(z.shape[1])])
    return rows, np.append(cost, np.full(u.shape[1], PENALTY_AHEAD))


def _onset(
    task: Task, folds: Sequence[tuple[Fold, Learnt, Array, Array]], final: Learnt, value: Array, place: int,
    spread: float, costs: Costs,
) -> Onset | None:  # fmt: skip
    clean, event = task.last <= costs.limit, task.peak[:, place] > costs.limit
    if min(int(event[clean].sum()), int((~event[clean]).sum())) < FEWEST:
        return None
    tried = {deep: _left_out(task, folds, place, deep, spread, costs) for deep in (False, True)}
    scores = {deep: average_precision(*pair) or 0.0 for deep, pair in tried.items()}
    # The larger one must be worth its bytes.
    deep = scores[True] > scores[False] + 0.01
    events, odds = tried[deep]
    if events.sum() < FEWEST:
        return None
    rows, cost = _rows(final, task.z, ahead(value, costs.limit, spread), deep)
    weights, offset = logistic(rows[clean], event[clean], cost)
    units, size = rows.shape[1] - task.z.shape[1] - len(task.steps), task.z.shape[1]
    parts = np.split(weights, [units, units + size])
    threshold = cheapest(events, odds, costs.miss, costs.alarm)
    return Onset(parts[0], parts[1], parts[2], offset, threshold, scores[deep])


def _left_out(
    task: Task, folds: Sequence[tuple[Fold, Learnt, Array, Array]], place: int, deep: bool, spread: float,
    costs: Costs,
) -> tuple[Array, Array]:  # fmt: skip
    """Events and log odds of all folds' clean rows, by what was learnt before them."""
    clean, event = task.last <= costs.limit, task.peak[:, place] > costs.limit
    events, odds = [], []
    for fold, net, taught, own in folds:
        rows, cost = _rows(net, task.z[fold.taught], ahead(taught, costs.limit, spread), deep)
        started = clean[fold.taught]
        if event[fold.taught][started].sum() < FEWEST // 4:
            continue
        weights, offset = logistic(rows[started], event[fold.taught][started], cost)
        seen, _ = _rows(net, task.z[fold.judged], ahead(own, costs.limit, spread), deep)
        judged_rows = clean[fold.judged]
        odds.append((seen @ weights + offset)[judged_rows])
        events.append(event[fold.judged][judged_rows])
    if not events:
        return np.zeros(0, bool), np.zeros(0)
    return np.concatenate(events), np.concatenate(odds)
