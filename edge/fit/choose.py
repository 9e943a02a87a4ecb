"""The choice among forms: the simplest that can't be told from the best."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.fit.cross import Fleet
from edge.fit.form import Form
from edge.fit.sample import Colocation
from edge.problem import Problem
from edge.readings import Array

WEIGHTS = (0.0, 30.0, 300.0)
"""How many rows of its own the fleet's experience may be worth to a sensor."""
FEWEST = 20

Progress = Callable[[str], None]


class NothingToFit(Problem):
    """There are too few hours with sensor and reference to fit anything."""


@dataclass(frozen=True)
class Trial:
    """A form tried: its `fleet`, each member's left-out `values`, the squared error by block [blocks], and
    how much more than the best it is (`worse`), with that difference's standard error over the blocks."""

    fleet: Fleet
    values: tuple[Array, ...]
    loss: Array
    count: int
    worse: float = 0.0
    error: float = 0.0

    @property
    def form(self) -> Form:
        """What was tried."""
        return self.fleet.form

    @property
    def rmse(self) -> float:
        """Over all scored rows of all members [unit]."""
        return float(np.sqrt(self.loss.sum() / self.count))


def trials(
    members: Sequence[Colocation], forms: Iterable[Form], progress: Progress = lambda _: None
) -> list[Trial]:
    """Each form with the fleet's weight that serves it best, compared with the best form by blocks."""
    if sum(int(one.scored.sum()) for one in members) < FEWEST:
        raise NothingToFit(
            f"fewer than {FEWEST} hours in which sensor and reference both spoke",
            advice="a week beside the reference is the least, a month is good",
        )
    tried = []
    for form in forms:
        tried.append(_tried(members, form))
        progress(form.name)
    best = min(tried, key=lambda trial: float(trial.loss.sum()))
    return [compared(trial, best) for trial in tried]


def _tried(members: Sequence[Colocation], form: Form) -> Trial:
    shrinks = form.solver is None and not form.fixed and len(members) > 1
    fleet = Fleet(members, form)
    made = [_trial(fleet.weighing(weight)) for weight in (WEIGHTS if shrinks else WEIGHTS[:1])]
    return min(made, key=lambda trial: float(trial.loss.sum()))


def _trial(fleet: Fleet) -> Trial:
    values = tuple(fleet.left_out(place) for place in range(len(fleet.members)))
    loss = np.zeros(max(one.blocks for one in fleet.members))
    for one, value in zip(fleet.members, values, strict=True):
        rows = one.scored
        loss += np.bincount(one.block[rows], (value[rows] - one.reference[rows]) ** 2, loss.size)
    count = sum(int(one.scored.sum()) for one in fleet.members)
    return Trial(fleet, values, loss, count)


def compared(trial: Trial, best: Trial) -> Trial:
    """The trial with how much worse than the best it is, and how sure that is over the blocks."""
    # Members share their weather: a block of all of them together is one piece of evidence.
    difference = trial.loss - best.loss
    error = float(np.sqrt(difference.size) * difference.std(ddof=1)) if difference.size > 1 else 0.0
    return replace(trial, worse=float(difference.sum()), error=error)


def choose(tried: Sequence[Trial]) -> Trial:
    """Of the forms whose paired block differences to the best are within one standard error, those of the
    simplest tier; of these the one with the least error."""
    equal = [trial for trial in tried if trial.worse <= trial.error]
    simplest = min(trial.form.tier for trial in equal)
    alike = (trial for trial in equal if trial.form.tier == simplest)
    return min(alike, key=lambda trial: float(trial.loss.sum()))


def honest(tried: Sequence[Trial]) -> tuple[Array, ...]:
    """Each member's left-out values where the form, too, was chosen without the block: a choice that saw what
    it is scored on would flatter."""
    values = [np.full(value.size, np.nan) for value in tried[0].values]
    for block in range(tried[0].loss.size):
        chosen = choose(_without(tried, block))
        for own, value, one in zip(values, chosen.values, chosen.fleet.members, strict=True):
            rows = one.block == block
            own[rows] = value[rows]
    return tuple(values)


def _without(tried: Sequence[Trial], block: int) -> list[Trial]:
    rest = [replace(trial, loss=np.delete(trial.loss, block)) for trial in tried]
    best = min(rest, key=lambda trial: float(trial.loss.sum()))
    return [compared(trial, best) for trial in rest]
