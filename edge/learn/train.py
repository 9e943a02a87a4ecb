"""Training: from the past of many places to one compact model, and what was found on the way.

Only what came true before each series' cut teaches. Candidates compete on folds of time inside that; the same
folds give intervals, the onset's threshold and every figure of the report. Same input, same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.learn import plan
from edge.learn.build import build, room_for
from edge.learn.compete import BESIDE_TREES, NETS, PERSISTENCE, Contest, contest, judged, stayed, whole
from edge.learn.doubt import Doubt, doubt, plain
from edge.learn.event import Costs, ahead, onsets
from edge.learn.task import Task
from edge.predict.infer import scaled
from edge.predict.lesson import Sight, lessons
from edge.predict.model import ROOM_HORIZONS, Model, persistence
from edge.predict.score import r2
from edge.predict.series import Lessons, Series
from edge.readings import Array

MOST_ROWS = 120_000
"""More rows than this are thinned evenly: they would teach little more and cost memory."""

FEWEST_ROWS = 500
"""Fewer rows to learn from than this are no ground for a model."""

STEPS = 3 + 3 + 1 + 3 + 1 + 1
"""How often `step` is called, beside once for each horizon."""

NEAR = 5.0
LIMITS: Mapping[str, float] = {"pm25": 35.0, "pm10": 100.0, "pm1": 25.0, "co2": 1000.0}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: quantity, horizons [s], seconds of a cell, what an event is and costs, the seed."""

    quantity: str = "pm25"
    horizons: tuple[int, ...] = ROOM_HORIZONS
    unit_s: int = 60
    limit: float | None = None
    miss: float = 3.0
    alarm: float = 1.0
    seed: int = 0

    @property
    def costs(self) -> Costs:
        """The limit that counts, and what is paid."""
        limit = self.limit if self.limit is not None else LIMITS.get(self.quantity, 35.0)
        return Costs(limit, self.miss, self.alarm)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One horizon by folds of the time learnt from, None where there was too little: the candidate and the
    target's form in force; RMSE [unit], R² and skill (1 − MSE / MSE of persistence); persistence's and the
    same hour yesterday's RMSE; what the intervals cover; onset's average precision; RMSE by candidate."""

    horizon_s: int
    taught: int
    installed: bool = False
    candidate: str = PERSISTENCE
    form: str = "change"
    rmse: float | None = None
    r2: float | None = None
    skill: float | None = None
    persistence_rmse: float | None = None
    yesterday_rmse: float | None = None
    coverage: float | None = None
    onset_average_precision: float | None = None
    candidates: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What training found: places used, the time learnt from [s, s], rounds and hidden units of the network,
    rate and nodes of the paper's, a verdict by horizon."""

    places: int
    taught: tuple[int, int]
    turns: int
    units: int
    paper: tuple[float, int] | None
    verdicts: tuple[Verdict, ...]


def train(
    past: Sequence[Series],
    wish: Wish | None = None,
    until: Sequence[int] | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> tuple[Model, Report]:
    """A model of what the series say before `until` (a time by series [units since 1970]; default: all)."""
    asked = wish or Wish()
    cuts = np.array(until if until is not None else [one.start + one.size for one in past], np.int64)
    ends = np.array([cut - one.start for cut, one in zip(cuts, past, strict=True)])
    rows = _taught(past, asked, cuts, ends) if past else None
    if rows is None or rows[1].time.size < FEWEST_ROWS:
        return _prior(asked, len(past), 0 if rows is None else rows[1].time.size)
    with _one_thread():
        return _trained(*rows, asked, len(past), step)


def _taught(past: Sequence[Series], wish: Wish, cuts: Array, ends: Array) -> tuple[Sight, Lessons]:
    """How to look, and the rows that came true in time, with all that is looked at."""
    wide = plan.sight(past, wish.quantity, wish.unit_s, wish.horizons, ends)
    rows = lessons(past, wide, wish.horizons, MOST_ROWS)
    whole_until = rows.time + wish.horizons[-1] // wish.unit_s < cuts[rows.who]
    rows = rows.take(np.flatnonzero(rows.whole[:, -1] & whole_until))
    if rows.time.size < FEWEST_ROWS:
        return wide, rows
    terms = plan.scaled(wide.terms, rows.inputs)
    grain = 2.0 ** -(wide.columns[0].bits + 4)
    chosen = plan.kept(terms, rows.inputs, rows.last * grain, rows.truth[:, -1])
    sight = _slim(replace(wide, terms=tuple(terms[place] for place in chosen)))
    return sight, replace(rows, inputs=rows.inputs[:, chosen])


def _slim(sight: Sight) -> Sight:
    """Without columns that no term reads."""
    used = sorted({0, *(term.column for term in sight.terms)})
    terms = tuple(replace(term, column=used.index(term.column)) for term in sight.terms)
    return replace(sight, columns=tuple(sight.columns[place] for place in used), terms=terms)


def _trained(
    sight: Sight, rows: Lessons, wish: Wish, places: int, step: Callable[[str], None]
) -> tuple[Model, Report]:
    task, costs = _task(sight, rows, wish), wish.costs
    size = len(wish.horizons)
    units = min(room_for(sight, size, False) // NETS, room_for(sight, size, True) // BESIDE_TREES)
    won = contest(task, units, wish.seed, step)
    final = whole(task, won, wish.seed)
    step("all rows")
    everywhere = np.arange(len(task.z))
    value = stayed(task, won, final.scale.back(final.blended(task.z, won.chosen), task.last), everywhere)
    spread = max(float(task.truth[:, -1].std()), 1e-3)
    left_out = np.concatenate([own for _, _, _, own in judged(task, won)])
    seen = np.concatenate([fold.judged for fold in won.folds])
    doubts = _doubts(task, left_out, seen, costs.limit, spread)
    step("intervals")
    found = onsets(task, won, final, value, spread, costs, step)
    most = 1.5 * float(np.nanmax(rows.peak)) + 1
    model = build(sight, wish.horizons, won, final, doubts, found, (costs.limit, most, NEAR, spread))
    precisions = [one.precision if one else None for one in found]
    covered = [_covered(one, task, left_out, seen, p, costs.limit, spread) for p, one in enumerate(doubts)]
    verdicts = tuple(
        _verdict(task, won, place, horizon, left_out, seen, precisions[place], covered[place])
        for place, horizon in enumerate(wish.horizons)
    )
    span = (int(rows.time[0]) * sight.unit_s, int(rows.time[-1]) * sight.unit_s)
    return model, Report(places, span, won.turns, units * won.nets, won.paper, verdicts)


def _task(sight: Sight, rows: Lessons, wish: Wish) -> Task:
    # The network learns from exactly what it will be given: whole numbers.
    blank = replace(persistence(wish.quantity), columns=sight.columns, terms=sight.terms)
    z = scaled(blank, rows.inputs) / np.float32(256)
    last = rows.last * 2.0 ** -(sight.columns[0].bits + 4)
    steps = tuple(horizon // sight.unit_s for horizon in wish.horizons)
    return Task(rows.time, z, last, rows.truth, rows.peak, rows.before, steps)


def _doubts(task: Task, value: Array, seen: Array, limit: float, spread: float) -> list[Doubt]:
    u = ahead(value, limit, spread)
    found = [
        doubt(task.z[seen], u, value[:, place], task.truth[seen, place], NEAR)
        for place in range(len(task.steps))
    ]
    if all(one.weights.size for one in found):
        return found
    return [plain(value[:, p], task.truth[seen, p], NEAR) for p in range(len(found))]


def _covered(
    one: Doubt, task: Task, value: Array, seen: Array, place: int, limit: float, spread: float
) -> float:
    own, truth = value[:, place], task.truth[seen, place]
    size = NEAR + own
    if one.weights.size:
        rows = np.hstack([task.z[seen], ahead(value, limit, spread)])
        size = np.maximum(rows @ one.weights + one.offset, one.least)
    which = (own >= one.marks[0]).astype(int) + (own >= one.marks[1])
    lower, upper = (own + one.ends[which, end] * size for end in (0, 1))
    return float(np.mean((truth >= lower) & (truth <= upper)))


def _verdict(
    task: Task,
    won: Contest,
    place: int,
    horizon: int,
    left_out: Array,
    seen: Array,
    precision: float | None,
    coverage: float,
) -> Verdict:
    truth, own, last = task.truth[seen, place], left_out[:, place], task.last[seen]
    before = np.where(np.isfinite(task.before[seen, place]), task.before[seen, place], last)
    miss, stays = _rmse(own, truth), _rmse(last, truth)
    return Verdict(
        horizon_s=horizon,
        taught=int(task.time.size),
        installed=won.chosen[place] != PERSISTENCE,
        candidate=won.chosen[place],
        form=won.forms[place].name.lower(),
        rmse=miss,
        r2=r2(truth, own),
        skill=1 - (miss / stays) ** 2 if stays else None,
        persistence_rmse=stays,
        yesterday_rmse=_rmse(before, truth),
        coverage=coverage,
        onset_average_precision=precision,
        candidates={name: float(np.sqrt(error)) for name, error in won.errors[place].items()},
    )


def _rmse(value: Array, truth: Array) -> float:
    return float(np.sqrt(np.mean((value - truth) ** 2)))


def _prior(wish: Wish, places: int, rows: int) -> tuple[Model, Report]:
    """Persistence with the intervals that are no measurement."""
    known = {head.horizon_s: head.ends for head in persistence().values}
    near = {h: known[min(known, key=lambda one: abs(one - h))] for h in wish.horizons}
    spreads = tuple((h, ends[0] / 1024, ends[1] / 1024) for h, ends in near.items())
    now = 2 if wish.unit_s < 3600 else 1
    model = replace(persistence(wish.quantity, spreads), unit_s=wish.unit_s, now=now)
    return model, Report(places, (0, 0), 0, 0, None, tuple(Verdict(h, rows) for h in wish.horizons))


def _one_thread() -> AbstractContextManager[Any]:
    # Sums that several threads add up differ in their last bit from run to run.
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits
