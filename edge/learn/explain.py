"""What a model goes by: what inputs are worth, how the value moves with them, when it misses most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.predict import infer
from edge.predict.feature import MISSING
from edge.predict.lesson import Sight, lessons
from edge.predict.model import Kind, Model
from edge.predict.series import Lessons, Series
from edge.readings import Array

MOST_ROWS = 4000
STEPS = 13


@dataclass(frozen=True, slots=True)
class Group:
    """Inputs that belong together: a name, by how much the RMSE grows when they are shuffled (by horizon),
    and the mean value (by horizon) as the group's first input takes the values `at`."""

    name: str
    kind: int
    worth: Array
    at: Array
    curve: Array


@dataclass(frozen=True, slots=True)
class Explanation:
    """Groups, the most important first; and the RMSE by hour of the local day (24 × horizons)."""

    groups: tuple[Group, ...]
    hours: Array


def explained(model: Model, past: Sequence[Series], until: Sequence[int], seed: int = 0) -> Explanation:
    """How the model uses its inputs on the last fifth of the time it learnt from, and never later."""
    sight = Sight(model.columns, model.terms, model.now, model.unit_s)
    rows = lessons(past, sight, model.horizons)
    step = model.horizons[-1] // model.unit_s
    known = rows.whole[:, -1] & (rows.time + step < np.array(until, np.int64)[rows.who])
    rows = rows.take(np.flatnonzero(known))
    rows = rows.take(np.arange(rows.time.size) >= int(0.8 * rows.time.size))
    hours = _hours(model, past, rows)
    some = rows.take(np.arange(0, rows.time.size, max(rows.time.size // MOST_ROWS, 1)))
    groups = sorted(_groups(model, some, seed), key=lambda one: -float(one.worth.sum()))
    return Explanation(tuple(groups), hours)


def _said(model: Model, rows: Lessons, inputs: Array) -> Array:
    value: Array = infer.forecast(model, inputs, rows.last).value * model.grain
    return value


def _rmse(model: Model, rows: Lessons, inputs: Array) -> Array:
    miss: Array = np.sqrt(np.mean((_said(model, rows, inputs) - rows.truth) ** 2, axis=0))
    return miss


def _groups(model: Model, rows: Lessons, seed: int) -> Iterator[Group]:
    rng, plain = np.random.default_rng(seed), _rmse(model, rows, rows.inputs)
    for name, kind, places in _parted(model):
        mixed = rows.inputs.copy()
        mixed[:, places] = mixed[rng.permutation(len(mixed))][:, places]
        at, curve = _curve(model, rows, places[0])
        yield Group(name, kind, _rmse(model, rows, mixed) - plain, at, curve)


def _parted(model: Model) -> Iterator[tuple[str, int, list[int]]]:
    """The model's inputs by column and by what they say of it."""
    parts: dict[tuple[str, int], list[int]] = {}
    for place, term in enumerate(model.terms):
        parts.setdefault((model.columns[term.column].name, term.kind), []).append(place)
    for (name, kind), places in parts.items():
        yield name, kind, places


def _curve(model: Model, rows: Lessons, place: int) -> tuple[Array, Array]:
    """Partial dependence: the mean value as one input takes each of its quantiles everywhere."""
    column = rows.inputs[:, place]
    there = column[column != MISSING]
    if not there.size:
        return np.zeros(0), np.zeros((0, len(model.values)))
    own = model.terms[place].kind == Kind.LEVEL and model.terms[place].column == 0
    at = np.unique(np.quantile(there, np.linspace(0.02, 0.98, STEPS)).astype(np.int64))
    curve = []
    for value in at:
        fixed = rows.inputs.copy()
        fixed[:, place] = value
        # Where the level itself is the input, what is added to it moves with it.
        moved = replace(rows, last=np.full_like(rows.last, value)) if own else rows
        curve.append(_said(model, moved, fixed).mean(axis=0))
    return at * _unit(model, place), np.array(curve)


def _unit(model: Model, place: int) -> float:
    term = model.terms[place]
    if term.kind == Kind.CLOCK:
        return 1 / 2048
    target = term.kind in (Kind.GAP, Kind.TIMES)
    return float(2.0 ** -(model.columns[0 if target else term.column].bits + 4))


def _hours(model: Model, past: Sequence[Series], rows: Lessons) -> Array:
    square = (_said(model, rows, rows.inputs) - rows.truth) ** 2
    hour = np.empty(rows.time.size, np.int64)
    for number, one in enumerate(past):
        own = rows.who == number
        hour[own] = one.times[0][rows.time[own] - one.start] // 60
    found = np.full((24, square.shape[1]), np.nan)
    for one_hour in np.unique(hour):
        found[one_hour] = np.sqrt(square[hour == one_hour].mean(axis=0))
    return found
